"""Follows every link of a built site: inside it, to a file and a place that exist. Nothing may be loaded from another site."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes with which a page loads something, rather than leads somewhere.
LOADS = {("img", "src"), ("script", "src"), ("source", "srcset"), ("source", "src"), ("iframe", "src"), ("form", "action")}
# Kinds of <link> that load nothing.
NAMES_ONLY = {"canonical", "next", "prev", "index", "search", "author", "top", "up"}
CSS_URL = re.compile(r"""url\(\s*["']?([^"')]*)|@import\s+["']([^"']*)""")


class Page(HTMLParser):
    """What a page links to, what it loads, and the places in it."""

    def __init__(self, text: str):
        super().__init__()
        self.ids: set[str] = set()
        self.leads: list[str] = []
        self.loads: list[str] = []
        self.style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        self.style = tag == "style"
        self.loads += css_urls(given.get("style", ""))
        for name, value in given.items():
            if (tag, name) in LOADS:
                self.loads += [part.split()[0] for part in value.split(",")] if name == "srcset" else [value]
            elif tag == "link" and name == "href":
                (self.leads if set(given.get("rel", "").split()) <= NAMES_ONLY else self.loads).append(value)
            elif tag == "a" and name == "href":
                self.leads.append(value)

    def handle_endtag(self, tag: str) -> None:
        self.style = self.style and tag != "style"

    def handle_data(self, data: str) -> None:
        if self.style:
            self.loads += css_urls(data)


def css_urls(text: str) -> list[str]:
    return [first or second for first, second in CSS_URL.findall(text)]


def check(site: Path) -> list[str]:
    """What is wrong with the links of the site, a line each."""
    pages = {file: Page(file.read_text()) for file in sorted(site.rglob("*.html"))}
    faults = [] if pages else [f"{site} has no page"]
    for file, page in pages.items():
        for target in page.leads:
            faults += leads_nowhere(site, file, target, pages)
        for target in page.loads:
            faults += loads_nothing(site, file, target)
    for file in sorted(site.rglob("*.css")):
        for target in css_urls(file.read_text()):
            faults += loads_nothing(site, file, target)
    return faults


def leads_nowhere(site: Path, file: Path, target: str, pages: dict[Path, Page]) -> list[str]:
    address = urlsplit(target)
    if address.scheme in ("http", "https", "mailto"):
        return []
    there = (file.parent / unquote(address.path)).resolve() if address.path else file
    if there.is_dir():
        there /= "index.html"
    if address.scheme or address.netloc or site not in there.parents or not there.is_file():
        return [f"{file.relative_to(site)}: {target} leads nowhere"]
    place = unquote(address.fragment)
    if place and there in pages and place not in pages[there].ids:
        return [f"{file.relative_to(site)}: {target} has no such place"]
    return []


def loads_nothing(site: Path, file: Path, target: str) -> list[str]:
    address = urlsplit(target)
    if address.scheme == "data" or target.startswith("#"):
        return []
    if address.scheme or address.netloc:
        return [f"{file.relative_to(site)}: loads {target} from another site"]
    if not (file.parent / unquote(address.path)).resolve().is_file():
        return [f"{file.relative_to(site)}: loads {target}, which does not exist"]
    return []
