#!/usr/bin/env python3
"""Draws what an audit prints on a terminal: website/picture.py PROGRAM FOLDER writes audit.svg and audit-dark.svg."""

import fcntl
import os
import pty
import re
import struct
import sys
import tempfile
import termios
from pathlib import Path
from xml.sax.saxutils import escape

COMMAND = ["hostssl", "audit", "--probe", "--simulate", "--subscription", "Contoso Production"]
COLUMNS = 128
# The last line that is drawn; below it is what to do next.
LAST = "coverage:"
ESCAPE = re.compile(r"\x1b\[([0-9;]*)m")
WIDTH, HEIGHT, MARGIN = 7.2, 17, 16
CLASSES = {"": "", "0": "", "1": "strong", "31": "red", "32": "green", "33": "yellow", "90": "faint"}
COLORS = {
    "audit.svg": {"back": "#ffffff", "edge": "#d0d7de", "plain": "#1f2328", "faint": "#59636e", "red": "#c21c1c", "green": "#1a7f37", "yellow": "#8a5a00"},
    "audit-dark.svg": {"back": "#0d1117", "edge": "#3d444d", "plain": "#e6edf3", "faint": "#9198a1", "red": "#ff7b72", "green": "#56d364", "yellow": "#e3b341"},
}


def main() -> int:
    program, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    lines = [line.rstrip() for line in printed(program).splitlines()]
    end = next(number for number, line in enumerate(lines) if ESCAPE.sub("", line).startswith(LAST))
    typed = " ".join(f"'{word}'" if " " in word else word for word in COMMAND)
    drawn = [f"\x1b[90m$\x1b[0m \x1b[1m{typed}\x1b[0m", *lines[: end + 1]]
    for name, colors in COLORS.items():
        (folder / name).write_text(svg(drawn, colors))
    return 0


def printed(program: Path) -> str:
    """What the command prints on a terminal of this width."""
    with tempfile.TemporaryDirectory() as home:
        pid, terminal = pty.fork()
        if pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
            arguments = [*COMMAND, "--quiet", "--color", "always"]
            os.execve(program, arguments, {"HOME": home, "TERM": "xterm"})
        text = b""
        while True:
            try:
                text += os.read(terminal, 65536)
            except OSError:
                break
        os.waitpid(pid, 0)
        os.close(terminal)
    return text.decode().replace("\r\n", "\n")


def svg(lines: list[str], colors: dict[str, str]) -> str:
    width = round(COLUMNS * WIDTH + 2 * MARGIN)
    height = len(lines) * HEIGHT + 2 * MARGIN
    rules = "".join(f".{name}{{fill:{color}}}" for name, color in colors.items() if name not in ("back", "edge"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        'aria-label="What an audit prints">\n'
        f"<style>text{{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre}}.strong{{fill:{colors['plain']};font-weight:bold}}{rules}</style>\n"
        f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="6" fill="{colors["back"]}" stroke="{colors["edge"]}"/>\n'
        f"{rows(lines)}</svg>\n"
    )


def rows(lines: list[str]) -> str:
    """Each stretch of one color at its column, and as wide as its columns, whatever the font. A color lasts beyond its line."""
    text, style = "", ""
    for number, line in enumerate(lines, 1):
        column, y = 0, MARGIN + number * HEIGHT - 4
        for index, part in enumerate(ESCAPE.split(line)):
            if index % 2:
                style = CLASSES[part]
                continue
            for stretch in re.finditer(r"\S+(?: \S+)*", part):
                words = stretch[0]
                x = MARGIN + (column + stretch.start()) * WIDTH
                text += f'<text x="{x:.1f}" y="{y}" textLength="{len(words) * WIDTH:.1f}" class="{style or "plain"}">{escape(words)}</text>\n'
            column += len(part)
    return text


if __name__ == "__main__":
    sys.exit(main())
