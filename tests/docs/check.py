"""Holds the built documentation site, and what pages have of the program, to what they promise: check.py PROGRAM SITE"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "website"))

import links  # noqa: E402


def every_page_is_there(site: Path) -> None:
    pages = [page.relative_to(ROOT) for page in [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")] if page.name != "README.md"]
    missing = [str(page) for page in pages if not (site / page.with_suffix(".html")).is_file()]
    assert len(pages) > 35 and not missing, missing


def broken_links_are_found(site: Path) -> None:
    """The check that passed has to fail where something is wrong."""
    wrong = {
        '<a href="nowhere.html">': "nowhere.html leads nowhere",
        '<a href="../index.html">': "../index.html leads nowhere",
        '<a href="docs/install.html#no-such-place">': "docs/install.html#no-such-place has no such place",
        '<img src="nothing.png">': "nothing.png, which does not exist",
        '<script src="https://cdn.example/script.js"></script>': "https://cdn.example/script.js from another site",
        '<link rel="stylesheet" href="//fonts.example/css">': "//fonts.example/css from another site",
        '<link rel="preconnect" href="https://fonts.example">': "https://fonts.example from another site",
        '<style>@font-face { src: url("https://fonts.example/f.woff2") }</style>': "https://fonts.example/f.woff2 from another site",
    }
    with tempfile.TemporaryDirectory() as work:
        copy = Path(work).resolve() / "site"
        shutil.copytree(site, copy)
        page = copy / "index.html"
        page.write_text(page.read_text().replace("</body>", "".join(wrong) + "</body>"))
        found = links.check(copy)
    expected = sorted(wrong.values())
    assert sorted(fault for fault in expected if any(fault in line for line in found)) == expected, found
    assert len(found) == len(wrong) and all(line.startswith("index.html: ") for line in found), found


def controls_are_listed(program: Path) -> None:
    """docs/controls.md has the row of each control as the program has it."""
    done = subprocess.run([program, "controls", "-o", "json"], check=True, capture_output=True, text=True)
    rows = [f"| [`{each['id']}`](controls/{each['id']}.md) | {each['severity']} | {each['title']} |" for each in json.loads(done.stdout)]
    listed = [line for line in (ROOT / "docs/controls.md").read_text().splitlines() if line.startswith("| [")]
    assert rows and listed == rows, "docs/controls.md should have these rows:\n" + "\n".join(rows)


def pictures_are_true(program: Path) -> None:
    """The picture of README.md is what an audit prints today."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-B", ROOT / "website/picture.py", program, folder], check=True)
        for drawn in Path(folder).iterdir():
            same = drawn.read_bytes() == (ROOT / "docs/images" / drawn.name).read_bytes()
            assert same, f"an audit prints something else than docs/images/{drawn.name} shows: `just picture` draws it again"


def main() -> int:
    program, site = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    every_page_is_there(site)
    print("ok      every page of the repository is in the site")
    broken_links_are_found(site)
    print("ok      no link of the site is broken, and nothing is loaded from another site")
    controls_are_listed(program)
    pictures_are_true(program)
    print("ok      the list of controls and the picture are what the program prints")
    return 0


if __name__ == "__main__":
    sys.exit(main())
