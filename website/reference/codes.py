"""Every stable code and what it means: the list is the snapshot that a test holds, the meanings stand beside the codes in the sources."""

import re
from pathlib import Path

from .text import code, escaped, table

LIST = "crates/cli/src/codes.rs"
SNAPSHOT = "crates/cli/src/snapshots/hostssl__codes__every_stable_code.snap"
# Listed on a page of their own.
ELSEWHERE = {"controls", "exit codes"}


def page(root: Path) -> str:
    program = (root / LIST).read_text()
    text = "# Stable codes\n\nPrograms may rely on these words: they are added to, and never changed.\n\n"
    for title, codes in snapshot(root).items():
        if title in ELSEWHERE:
            continue
        crate, name = origin(program, title)
        about, meanings = of_enum(root / "crates" / crate / "src", name)
        missing = [each for each in codes if each not in meanings]
        assert not missing, f"{title}: nothing in crates/{crate} says what {missing} mean"
        rows = [[code(each), escaped(meanings[each])] for each in codes]
        text += f"## {title[0].upper()}{title[1:]}\n\n{escaped(about)}\n\n{table(['code', 'meaning'], rows)}\n"
    return text


def snapshot(root: Path) -> dict[str, list[str]]:
    """The codes by title."""
    found: dict[str, list[str]] = {}
    for line in (root / SNAPSHOT).read_text().split("---\n", 2)[2].splitlines():
        if line.startswith("  "):
            found[next(reversed(found))].append(line.strip())
        elif line:
            found[line] = []
    return found


def origin(program: str, title: str) -> tuple[str, str]:
    """The crate and the enum whose codes have this title."""
    name = re.search(rf'add\(\s*"{title}",\s*&\[?(\w+)::', program)[1]
    for crate, names in re.findall(r"use hostssl_(\w+)::(?:\w+::)*(\{[^}]*\}|\w+);", program):
        if re.search(rf"\b{name}\b", names):
            return crate.replace("_", "-"), name
    raise AssertionError(f"{LIST} does not say where {name} is from")


def of_enum(sources: Path, name: str) -> tuple[str, dict[str, str]]:
    """What stands above an enum, and above each variant by its code."""
    for file in sorted(sources.rglob("*.rs")):
        text = file.read_text()
        pattern = rf"((?:^ *///[^\n]*\n)+)(?:^ *#\[[^\n]*\n)*^( *)pub enum {name} \{{\n(.*?)^\2\}}"
        if found := re.search(pattern, text, re.M | re.S):
            documented = re.findall(r"((?:^ *///.*\n)+)(?:^ *#\[.*\n)*^ *(\w+)(?: = \"([^\"]+)\")?,", found[3], re.M)
            above = {variant: prose(lines) for lines, variant, _ in documented}
            body = re.search(rf"^impl {name} \{{\n.*?^\}}", text, re.M | re.S)
            arms = re.findall(r'Self::(\w+)(?: \| Self::\w+)* => "([^"]+)"', body[0] if body else "")
            spelled = [(given, variant) for _, variant, given in documented if given]
            spelled += [(given, variant) for variant, given in arms if variant in above]
            # What another enum spells has the name of the variant.
            spelled += [(kebab(variant), variant) for variant in above]
            # The first that is found is the one of the code; others are names in Azure and in tables.
            return prose(found[1]), {given: above[variant] for given, variant in reversed(spelled)}
    raise AssertionError(f"{sources} has no enum {name}")


def kebab(variant: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", variant).lower()


def prose(above: str) -> str:
    lines = [line.strip().removeprefix("///").strip() for line in above.splitlines()]
    # The first paragraph: what follows is for those who read the source.
    paragraph = " ".join(lines).split("  ")[0]
    # A link of rustdoc is the code that it shows: [`Unchecked::missing_permission`].
    return re.sub(r"\[(`[^`]+`)\](?:\([^)]*\))?", r"\1", paragraph)
