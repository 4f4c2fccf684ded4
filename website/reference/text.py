"""Plain text as Markdown, and tables."""

import re

# Outside of backquotes, what Markdown would read as its own.
SPECIAL = re.compile(r"([\\*_<>\[\]|#~$^{}])")


def escaped(text: str) -> str:
    """Text with code between backquotes, and nothing else that Markdown would read."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return SPECIAL.sub(r"\\\1", text.replace("`", "'"))
    return "`".join(part.replace("|", "\\|") if index % 2 else SPECIAL.sub(r"\\\1", part) for index, part in enumerate(parts))


def code(text: str) -> str:
    return f"`{text}`"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)
