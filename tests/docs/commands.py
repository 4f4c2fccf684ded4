"""Runs the commands of pages in their order, as a reader would: commands.py PROGRAM

A command with `--simulate`, and each of the tutorial, ends with the code that its comment names, or with 0, and prints what the page shows.
The others are for real servers: they run against the simulation, and have to end as if they had found something or nothing."""

import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXACT = ("docs/tutorial.md",)
SIMULATED = ("README.md", "docs/how-to/rollout.md", "docs/how-to/undo.md", "docs/how-to/ci.md")
# There is nothing to reach through a bastion, and no cluster: only whether each option exists.
OPTIONS_ONLY = ("docs/how-to/private-networks.md", "docs/how-to/deploy.md")
SECONDS = 120
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
STATED = re.compile(r"#.*\bexit code (\d+)")


@dataclass
class Step:
    """A command of a page."""

    command: str
    code: int
    # Lines that the page shows of its output.
    shown: list[str] = field(default_factory=list)


def steps(page: Path) -> list[Step]:
    """The commands of `console` fences. A `text` fence below shows some of the output of the last one."""
    found: list[Step] = []
    for language, body in re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(), re.M | re.S):
        if language == "console":
            for line in body.replace("\\\n", "").splitlines():
                stated = STATED.search(line)
                command = re.sub(r"\s+#.*", "", line).replace("cargo run -- ", "hostssl ").strip()
                if command.startswith("hostssl "):
                    found.append(Step(command, int(stated[1]) if stated else 0))
        elif language == "text" and found:
            found[-1].shown += [line.strip() for line in body.splitlines() if line.strip() not in ("", "…")]
    assert found, f"{page} has no command"
    return found


class Reader:
    """Someone at a terminal, in a folder of their own."""

    def __init__(self, program: Path, folder: Path):
        (folder / "bin").mkdir()
        (folder / "bin/hostssl").symlink_to(program)
        (folder / "work").mkdir()
        self.folder = folder / "work"
        path = f"{folder / 'bin'}:{os.environ['PATH']}"
        self.environment = {"HOME": str(folder), "PATH": path, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "220"}

    def runs(self, command: str) -> tuple[int, str]:
        """Types a command, a reason and `yes` where it asks for them; ends what serves once it answers."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execvpe("bash", ["bash", "-c", f"stty cols 220; exec {command}"], self.environment)
        printed, answered, reasoned, ends = "", False, False, time.monotonic() + SECONDS
        while time.monotonic() < ends:
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    printed += ESCAPE.sub("", os.read(terminal, 65536).decode(errors="replace"))
                except OSError:
                    break
            if not reasoned and "\nWhy? " in printed.replace("\r", ""):
                os.write(terminal, b"to try it\n")
                reasoned = True
            if not answered and "Type yes to continue:" in printed:
                os.write(terminal, b"yes\n")
                answered = True
            if not answered and command.startswith("hostssl serve") and (at := re.search(r"http://[\d.]+:\d+", printed)) and ready(at[0]):
                os.write(terminal, b"\x03")
                answered = True
        else:
            os.kill(pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(terminal)
        return code, printed


def ready(address: str) -> bool:
    try:
        return urllib.request.urlopen(f"{address}/readyz", timeout=1).status == 200
    except OSError:
        return False


def words(text: str) -> str:
    return " ".join(text.split())


def exactly(reader: Reader, page: str) -> None:
    for step in steps(ROOT / page):
        holds(reader, page, step)


def holds(reader: Reader, page: str, step: Step) -> None:
    """A command ends as the page says, and prints what the page shows, in that order."""
    code, printed = reader.runs(step.command)
    assert code == step.code, f"{page}: {step.command} ends with {code}, and the page says {step.code}:\n{printed}"
    lines = [words(line) for line in re.split(r"[\r\n]+", printed)]
    for shown in step.shown:
        at = next((at for at, line in enumerate(lines) if words(shown) in line), None)
        assert at is not None, f"{page}: {step.command} does not print, or not here: {shown}\n{printed}"
        lines = lines[at + 1:]


def simulated(reader: Reader, page: str) -> None:
    for step in steps(ROOT / page):
        if "--simulate" in step.command:
            holds(reader, page, step)
            continue
        command = re.sub(r" --auth \S+", "", step.command)
        usage = subprocess.run(["hostssl", shlex.split(command)[1], "--help"], capture_output=True, text=True, env=reader.environment, check=True)
        if "--simulate" in usage.stdout:
            command = re.sub(r"( >.*)?$", r" --simulate\1", command, count=1)
        code, printed = reader.runs(command)
        assert code in (0, 3, 4), f"{page}: {command} ends with {code}:\n{printed}"


def a_false_page_is_found(reader: Reader, _: str) -> None:
    """What passed has to fail where a page is wrong."""
    for step in (Step("hostssl --version", 3), Step("hostssl --version", 0, ["hostssl", "no such line"]), Step("hostssl --version", 0, ["x y"])):
        try:
            holds(reader, "a false page", step)
        except AssertionError:
            continue
        raise AssertionError(f"nothing is wrong with {step}")


def options_only(reader: Reader, page: str) -> None:
    for step in steps(ROOT / page):
        code, printed = reader.runs(f"{step.command} --help")
        assert code == 0, f"{page}: {step.command}: {printed}"


def main() -> int:
    program = Path(sys.argv[1]).resolve()
    ways = ((("pages that are wrong",), a_false_page_is_found), (EXACT, exactly), (SIMULATED, simulated), (OPTIONS_ONLY, options_only))
    for pages, way in ways:
        for page in pages:
            with tempfile.TemporaryDirectory() as folder:
                way(Reader(program, Path(folder)), page)
            print(f"ok      the commands of {page} do what it says" if page.endswith(".md") else f"ok      {page} are found", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
