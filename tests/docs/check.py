"""Holds the built documentation site to what it promises: check.py SITE"""

import shutil
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



def main() -> int:
    site = Path(sys.argv[1]).resolve()
    every_page_is_there(site)
    print("ok      every page of the repository is in the site")
    broken_links_are_found(site)
    print("ok      no link of the site is broken, and nothing is loaded from another site")
    return 0


if __name__ == "__main__":
    sys.exit(main())
