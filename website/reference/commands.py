"""A page for each command, out of its own help."""

import os
import re
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from .text import code, escaped, table

# What stands in brackets behind an option.
WORDS = {"default": "Default:", "possible values": "One of", "env": "Environment:"}
# An option or an argument, where it begins.
TERM = re.compile(r"^ {2,6}(-|\[|<)")
# The list of `## Options of every command`; it is not repeated on each page.
EVERYWHERE = "Output options"


@dataclass
class Help:
    """The help of a command, taken apart."""

    about: list[str]
    usage: str
    # Those below it, and what they do.
    commands: dict[str, str] = field(default_factory=dict)
    # Options and arguments by heading: what is typed, and the lines that say what it means.
    options: dict[str, list[tuple[str, list[str]]]] = field(default_factory=dict)
    exits: dict[str, str] = field(default_factory=dict)
    # Examples and the like, as they are.
    verbatim: dict[str, str] = field(default_factory=dict)


@cache
def help_of(program: Path, *path: str) -> Help:
    # As nobody: help names the values that options have in the environment.
    environment = {"HOME": "/nonexistent", "PATH": os.environ["PATH"]}
    done = subprocess.run([program, *path, "--help"], check=True, capture_output=True, text=True, env=environment)
    return parse(done.stdout)


def parse(text: str) -> Help:
    about, _, rest = text.partition("\n\nUsage: ")
    usage, _, rest = rest.partition("\n\n")
    found = Help(paragraphs(about.split("\n")), "\n".join(line.strip() for line in usage.split("\n")))
    for block in re.split(r"\n(?=\S)", rest):
        heading, _, body = block.partition("\n")
        heading = heading.removesuffix(":")
        if heading == "Commands":
            found.commands = {name: what for name, what in columns(body).items() if name != "help"}
        elif heading == "Exit codes":
            found.exits = columns(body)
        elif TERM.match(body):
            found.options[heading] = entries(body)
        elif body.strip():
            found.verbatim[heading] = body.strip("\n")
    return found


def columns(body: str) -> dict[str, str]:
    """Rows of a word and its meaning, which continues below itself."""
    rows: dict[str, str] = {}
    for line in filter(str.strip, body.split("\n")):
        if begin := re.match(r"^  (\S+) +(\S.*)", line):
            rows[begin[1]] = begin[2]
        else:
            rows[next(reversed(rows))] += f" {line.strip()}"
    return rows


def entries(body: str) -> list[tuple[str, list[str]]]:
    """What is typed is at the margin; what it means is below it, further in."""
    found: list[tuple[str, list[str]]] = []
    for line in body.split("\n"):
        if TERM.match(line):
            found.append((line.strip(), []))
        else:
            found[-1][1].append(line)
    return found


def paragraphs(lines: list[str]) -> list[str]:
    """Wrapped lines joined again; an item of a list is a paragraph."""
    found: list[str] = []
    begins = True
    for line in map(str.strip, lines):
        if line and (begins or line.startswith(("- ", "["))):
            found.append(line)
        elif line:
            found[-1] += f" {line}"
        begins = not line
    return found


def meaning(lines: list[str]) -> str:
    """What an option means, as Markdown."""
    parts: list[str] = []
    for part in paragraphs(lines):
        if named := re.match(r"^- (\S+): +(.*)", part):
            parts.append(f"- {code(named[1])}: {escaped(named[2])}")
        elif part.startswith("- "):
            parts.append(f"- {code(part[2:])}")
        elif values := re.match(r"^\[(default|possible values|env): (.*)\]$", part):
            given = values[2].removesuffix("=").split(", ")
            parts.append(f"{WORDS[values[1]]} {', '.join(map(code, given))}")
        else:
            parts.append(escaped(part))
    return "\n\n".join(parts)


def write(program: Path, folder: Path) -> str:
    """Writes a page for each command and one that lists them, and returns the list as the page above needs it."""
    pages = folder / "commands"
    pages.mkdir()
    whole = help_of(program)
    for name in whole.commands:
        (pages / f"{name}.md").write_text(section(program, [name], 1))

    def listed(below: str) -> str:
        rows = [[f"[`hostssl {name}`]({below}{name}.md)", escaped(what)] for name, what in whole.commands.items()]
        return table(["command", "what it does"], rows)

    tree = "\n".join(["```{toctree}", ":hidden:", "", *whole.commands, "```", ""])
    everywhere = f"## Options of every command\n\n{definitions(whole.options[EVERYWHERE])}"
    (pages / "index.md").write_text(f"# Commands\n\n{listed('')}\n{everywhere}\n{tree}")
    return listed("commands/")


def section(program: Path, path: list[str], level: int) -> str:
    """A command, and those below it."""
    found = help_of(program, *path)
    assert found.about and found.usage and found.options, path
    deeper = "#" * (level + 1)
    text = f"{'#' * level} hostssl {' '.join(path)}\n\n" + "".join(f"{escaped(part)}\n\n" for part in found.about)
    text += f"```text\n{found.usage}\n```\n\n"
    common = {term for term, _ in help_of(program).options[EVERYWHERE]} | {"-h, --help"}
    for heading, listed in found.options.items():
        own = [entry for entry in listed if entry[0] not in common]
        text += f"{deeper} {heading}\n\n{definitions(own)}" if own else ""
    for heading, body in found.verbatim.items():
        text += f"{deeper} {escaped(heading)}\n\n```text\n{body}\n```\n\n"
    if found.exits:
        text += f"{deeper} Exit codes\n\n{exit_table(found)}\n"
    return text + "".join(section(program, [*path, below], min(level + 1, 2)) for below in found.commands)


def definitions(listed: list[tuple[str, list[str]]]) -> str:
    text = ""
    for term, lines in listed:
        body = meaning(lines)
        assert body, f"{term} has no help"
        text += f"{code(term)}\n:   " + re.sub(r"\n(?=.)", "\n    ", body) + "\n\n"
    return text


def exit_table(found: Help) -> str:
    return table(["code", "meaning"], [[number, escaped(what)] for number, what in found.exits.items()])


def exit_codes(program: Path) -> str:
    """The page of exit codes: those of the program, and what each command means by them."""
    text = f"# Exit codes\n\n{exit_table(help_of(program))}\n"
    for path in every(program, []):
        if path and (found := help_of(program, *path)).exits:
            text += f"## hostssl {' '.join(path)}\n\n{exit_table(found)}\n"
    return text


def every(program: Path, path: list[str]) -> list[list[str]]:
    """Every command, from the program itself on."""
    below = help_of(program, *path).commands
    return [path] + [deeper for name in below for deeper in every(program, [*path, name])]
