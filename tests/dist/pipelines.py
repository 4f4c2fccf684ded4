"""Runs the scripts of the action and the templates as their runners would: against packages in a folder, and a simulated Azure.

pipelines.py FOLDER VERSION. What GitHub, Azure Pipelines and GitLab themselves do around the scripts is not part of it.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
PACKAGES, VERSION = Path(sys.argv[1]), sys.argv[2]
[ARCHIVE] = PACKAGES.glob(f"hostssl-{VERSION}-*-unknown-linux-gnu.tar.gz")
# What runners of GitHub call a machine for which a program is built, and the other one.
RUNNERS = {"x86_64": "X64", "aarch64": "ARM64"}
MACHINE = ARCHIVE.name.removeprefix(f"hostssl-{VERSION}-").split("-")[0]
[OTHER_MACHINE] = RUNNERS.keys() - {MACHINE}


def load(name: str) -> dict:
    return YAML(typ="safe").load(ROOT / name)


def releases(folder: Path) -> str:
    """A place for downloads, as the action's input names it."""
    (folder / "releases").mkdir()
    (folder / "releases" / f"v{VERSION}").symlink_to(PACKAGES)
    return f"file://{folder}/releases"


def bash(script: str, folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess:
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(folder)} | variables
    return subprocess.run(["bash", "-e", "-c", script], cwd=folder, env=surroundings, capture_output=True, text=True)


class Action:
    """The steps of action.yml that are scripts, with the inputs and the files that a runner hands them."""

    def __init__(self, machine: str = MACHINE, **inputs: str) -> None:
        self.machine = machine
        self.folder = Path(tempfile.mkdtemp(dir=WORK))
        self.definition = load("action.yml")
        defaults = {name: str(one.get("default", "")) for name, one in self.definition["inputs"].items()}
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        assert given.keys() <= defaults.keys(), given.keys() - defaults.keys()
        self.inputs = defaults | {"releases": releases(self.folder), "args": "--simulate --no-save"} | given
        for name in ("path", "output", "summary"):
            (self.folder / name).write_text("")

    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in (self.folder / "output").read_text().splitlines())

    def value(self, text: str) -> str:
        """The expressions that the action uses, and no other."""
        known = {f"inputs.{name}": value for name, value in self.inputs.items()}
        known["inputs.version || github.action_ref"] = self.inputs["version"] or f"v{VERSION}"
        known["inputs.upload-sarif == 'true' && 'sarif' || ''"] = "sarif" if self.inputs["upload-sarif"] == "true" else ""
        known |= {f"steps.audit.outputs.{name}": self.outputs().get(name, "") for name in ("exit-code", "sarif")}
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: known[found[1]], str(text))

    def holds(self, condition: str) -> bool:
        """A condition of comparisons alone: what a function such as hashFiles answers, this cannot tell."""
        def side(text: str) -> str:
            return text[1:-1] if re.fullmatch("'[^']*'", text) else self.value("${{ " + text + " }}")

        comparisons = [part.strip().split(" ") for part in condition.split("&&")]
        assert all(len(one) == 3 and one[1] in ("==", "!=") for one in comparisons), condition
        return all((side(left) == side(right)) == (operator == "==") for left, operator, right in comparisons)

    def run(self) -> tuple[int, str]:
        """The code and the log of the job: a step that fails ends it. What other actions are given is kept."""
        log, self.used = "", []
        for step in self.definition["runs"]["steps"]:
            if not self.holds(step.get("if", "'' == ''")):
                continue
            if "uses" in step:
                self.used.append({name: self.value(value) for name, value in step["with"].items()})
                continue
            variables = {
                "GITHUB_ACTION_PATH": str(ROOT),
                "GITHUB_PATH": str(self.folder / "path"),
                "GITHUB_OUTPUT": str(self.folder / "output"),
                "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
                "RUNNER_TEMP": str(self.folder),
                "RUNNER_OS": "Linux",
                "RUNNER_ARCH": RUNNERS[self.machine],
                "PATH": ":".join([*(self.folder / "path").read_text().split(), os.environ["PATH"]]),
            }
            variables |= {name: self.value(value) for name, value in step["env"].items()}
            done = bash(step["run"], self.folder, variables)
            log += done.stdout + done.stderr
            if done.returncode:
                return done.returncode, log
        return 0, log

    def files(self) -> set[str]:
        return {path.name for path in (self.folder / "hostssl-reports").iterdir()}


def expect(found: object, wanted: object, log: str) -> None:
    if found != wanted:
        raise SystemExit(f"not ok  {found!r} instead of {wanted!r}\n{log}")


def action() -> None:
    failing = Action(formats="json junit html", upload_sarif="true")
    code, log = failing.run()
    expect(code, 3, log)
    expect(failing.files(), {"audit.json", "audit.xml", "audit.sarif", "audit.html", "audit.md"}, log)
    expect(failing.outputs()["exit-code"], "3", log)
    [uploaded] = failing.used
    expect(json.loads(Path(uploaded["sarif_file"]).read_text())["version"], "2.1.0", log)
    for inputs in ({"formats": "sarif"}, {"upload_sarif": "true", "args": "--simulate no-such-scenario"}):
        without = Action(**inputs)
        code, log = without.run()
        expect((code in (2, 3), without.used), (True, []), log)
    expect("pg-" in (failing.folder / "summary").read_text(), True, log)
    reported = Action(fail_on="never")
    code, log = reported.run()
    expect((code, "::warning" in log, reported.outputs()["exit-code"]), (0, True, "4"), log)
    code, log = Action(fail_on="never", args="--simulate no-such-scenario").run()
    expect((code, "no result" in log), (2, True), log)
    code, log = Action(args="--simulate enforced --no-save").run()
    expect(code, 0, log)
    for fail_on, wanted in [("findings", 3), ("incomplete", 3), ("fail", 3), ("high", 3), ("unknown", 3), ("other", 2)]:
        code, log = Action(fail_on=fail_on).run()
        expect((fail_on, code), (fail_on, wanted), log)
    # An earlier audit as the baseline: nothing is new, and fail-on says whether what could not be checked counts.
    baseline = str(reported.folder / "hostssl-reports/audit.json")
    for fail_on, accept, wanted in [
        ("", "false", 4),
        ("", "true", 0),
        ("new", "false", 4),
        ("findings", "false", 0),
        ("incomplete", "true", 4),
    ]:
        code, log = Action(baseline=baseline, fail_on=fail_on, accept_incomplete=accept).run()
        expect((fail_on, accept, code, "::warning" in log), (fail_on, accept, wanted, wanted == 0), log)
    # Quotes group, and nothing is run.
    code, log = Action(args="--simulate --no-save --server 'no such $(touch pwned) server'").run()
    expect((code, "no such $(touch pwned) server" in log), (2, True), log)
    expect(list(WORK.rglob("pwned")), [], log)
    code, log = Action(args="--simulate 'open").run()
    expect((code, "do not match" in log), (1, True), log)


def downloads() -> None:
    wrong = Action(sha256="0" * 64)
    code, log = wrong.run()
    expect((code, "expected was 0000" in log), (1, True), log)
    expect((wrong.folder / "path").read_text(), "", log)
    right = next(line.split()[0] for line in (PACKAGES / "SHA256SUMS").read_text().splitlines() if line.endswith(ARCHIVE.name))
    code, log = Action(sha256=right).run()
    expect(code, 3, log)
    for inputs, said in [
        ({"version": "main"}, "is not a version"),
        ({"version": "9.9.9"}, "cannot be downloaded"),
        ({"machine": OTHER_MACHINE}, f"{OTHER_MACHINE}-unknown-linux-gnu.tar.gz cannot be downloaded"),
    ]:
        code, log = Action(**inputs).run()
        expect((code, said in log), (1, True), log)


def damaged(folder: Path) -> str:
    """The same releases, with an archive that was replaced, and the sums of the old one."""
    release = folder / "damaged" / f"v{VERSION}"
    release.mkdir(parents=True)
    (release / ARCHIVE.name).write_bytes(ARCHIVE.read_bytes()[:-1] + b"\0")
    (release / "SHA256SUMS").write_bytes((PACKAGES / "SHA256SUMS").read_bytes())
    return f"file://{folder}/damaged"


def template(script: str, variables: dict[str, str], reports: str) -> None:
    """A script of a template, once with the real release and once with a damaged one."""
    for spoil in (False, True):
        folder = Path(tempfile.mkdtemp(dir=WORK))
        place = damaged(folder) if spoil else releases(folder)
        more = {"HOSTSSL_RELEASES": place, "HOSTSSL_VERSION": VERSION, "HOSTSSL_ARGS": "--simulate --no-save", "HOSTSSL_SHA256": ""}
        done = bash(script, folder, variables | more | {"AGENT_TEMPDIRECTORY": str(folder), "TMPDIR": str(folder)})
        log = done.stdout + done.stderr
        expect(done.returncode, 1 if spoil else 3, log)
        if spoil:
            expect(("FAILED" in log, list(folder.rglob("audit.json"))), (True, []), log)
            continue
        suites = xml.parse(folder / reports / "audit.xml").getroot()
        expect(int(suites.get("failures")) > 0, True, log)
        # On a machine of another platform, another archive is wanted, which is not among these packages.
        machine = folder / "uname"
        machine.write_text(f"#!/bin/sh\necho {OTHER_MACHINE}\n")
        machine.chmod(0o755)
        path = {"PATH": f"{folder}:{os.environ['PATH']}"}
        done = bash(script, folder, variables | more | path | {"AGENT_TEMPDIRECTORY": str(folder), "TMPDIR": str(folder)})
        log = done.stdout + done.stderr
        expect((done.returncode != 0, f"{OTHER_MACHINE}-unknown-linux-gnu.tar.gz" in log), (True, True), log)


def azure_pipelines() -> None:
    task = load("pipelines/azure-pipelines.yml")["steps"][0]
    names = set(re.findall(r"\$\{?(HOSTSSL_\w+)", task["inputs"]["inlineScript"]))
    expect(names <= task["env"].keys(), True, f"{names} {task['env']}")
    template(task["inputs"]["inlineScript"], {"HOSTSSL_FAIL_ON": "fail", "HOSTSSL_AUTH": "pipelines"}, "hostssl")


def gitlab() -> None:
    job = load("pipelines/gitlab-ci.yml")["hostssl"]
    template("\n".join(job["script"]), {"AZURE_ID_TOKEN": "token", "HOSTSSL_AUTH": "workload-identity"}, ".")


with tempfile.TemporaryDirectory() as folder:
    WORK = Path(folder)
    action()
    downloads()
    azure_pipelines()
    gitlab()
