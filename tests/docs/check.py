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
        '<a href="nowhere.html">': "leads nowhere",
        '<a href="../index.html">': "leads nowhere",
        '<a href="docs/install.html#no-such-place">': "has no such place",
        '<img src="nothing.png">': "which does not exist",
        '<script src="https://cdn.example/script.js"></script>': "from another site",
        '<link rel="stylesheet" href="//fonts.example/css">': "from another site",
        '<link rel="preconnect" href="https://fonts.example">': "from another site",
        '<style>@font-face { src: url("https://fonts.example/f.woff2") }</style>': "from another site",
    }
    with tempfile.TemporaryDirectory() as work:
        copy = Path(work).resolve() / "site"
        shutil.copytree(site, copy)
        page = copy / "index.html"
        text = page.read_text()
        assert links.check(copy) == []
        for element, fault in wrong.items():
            page.write_text(text.replace("</body>", f"{element}</body>"))
            found = links.check(copy)
            assert len(found) == 1 and found[0].startswith("index.html: ") and fault in found[0], (element, found)


def main() -> int:
    site = Path(sys.argv[1]).resolve()
    every_page_is_there(site)
    print("ok      every page of the repository is in the site")
    broken_links_are_found(site)
    print("ok      no link of the site is broken, and nothing is loaded from another site")
    return 0


if __name__ == "__main__":
    sys.exit(main())
