"""The licences of what the program is made of: every text that came with it, once, under the names of those who use it."""

import re
import subprocess
from pathlib import Path

from crates import Crate, crates
from release import ROOT, Release

# What authors call the files with their terms.
TEXT = re.compile(r"(?i)^((un)?licen[cs]e|copying|notice|copyright)")
# Benchmarks and tests are not linked.
NOT_LINKED = {"benches", "tests", "examples"}
# Assets of the console: what, and the file with its terms.
ASSETS = {"htmx 4.0.1": "crates/console/assets/htmx-LICENSE.txt"}
MIT = """Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files
(the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge,
publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so,
subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR
ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
HEAD = """hostssl is under the Apache License, Version 2.0: see LICENSE. It is made of the work of others too, which is under the
terms below. The terms of Rust's standard library are in licenses/rust-library.html. SQLite, which libsqlite3-sys brings,
is in the public domain.
"""


def write(release: Release) -> None:
    """Adds the texts to the folder that is packed."""
    # A text, and who is under it.
    users: dict[str, list[str]] = {}
    for crate in crates(release.target):
        if not crate.is_ours:
            for text in terms(crate):
                users.setdefault(text, []).append(f"{crate.name} {crate.version} ({crate.license})")
    for name, file in ASSETS.items():
        users.setdefault(tidy((ROOT / file).read_text()), []).append(name)
    # By who uses it, so that a new dependency is one more place and not another order.
    parts = sorted((sorted(set(names)), text) for text, names in users.items())
    rule = "-" * 100
    whole = HEAD + "".join(f"\n{rule}\n" + "\n".join(names) + f"\n{rule}\n\n{text}" for names, text in parts)
    (release.stage / "THIRD-PARTY-LICENSES.txt").write_text(whole)
    licenses = release.stage / "licenses"
    licenses.mkdir()
    (licenses / "rust-library.html").write_bytes(of_the_standard_library().read_bytes())


def terms(crate: Crate) -> list[str]:
    """The texts in the package of a crate, or what its manifest says instead."""
    files = sorted(file for file in crate.folder.rglob("*") if file.is_file() and TEXT.match(file.name))
    linked = [file for file in files if not NOT_LINKED & set(file.relative_to(crate.folder).parts)]
    if linked:
        return [tidy(file.read_text(errors="replace")) for file in linked]
    if "MIT" not in crate.license:
        raise SystemExit(f"error: {crate.name} {crate.version} ({crate.license}) has no text of its licence; add it to notices.py")
    authors = ", ".join(crate.authors) or f"the authors of {crate.name}"
    return [f"Copyright (c) {authors}\n(from the manifest: the package has no text of its licence)\n\n{MIT}"]


def tidy(text: str) -> str:
    """Line ends and empty lines around a text make no difference."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


def of_the_standard_library() -> Path:
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
    file = Path(sysroot.strip()) / "share/doc/rust/COPYRIGHT-library.html"
    if not file.exists():
        raise SystemExit(f"error: the compiler came without {file.name}, the licences of its standard library; install it by rustup")
    return file
