"""Writes the reference out of the program and the sources, so that there is no second truth beside them."""

from pathlib import Path

from . import codes, commands, controls, schemas

HEAD = """# Reference

Written by the program and its sources when the site is built; nothing of it is typed.

"""


def write(program: Path, root: Path, folder: Path) -> None:
    """Writes the pages of the reference into `folder`, which is in a copy of `root`."""
    folder.mkdir()
    index = commands.write(program, folder)
    (folder / "exit-codes.md").write_text(commands.exit_codes(program))
    (folder / "controls.md").write_text(controls.page(program))
    (folder / "codes.md").write_text(codes.page(root))
    schemas.write(root / "docs/schemas", folder)
    (folder / "index.md").write_text(HEAD + index + TREE)


TREE = """
Beside the commands: [exit codes](exit-codes.md), [controls](controls.md), [all stable codes](codes.md), and the
[JSON formats](schemas/index.md).

```{toctree}
:hidden:

commands/index
exit-codes
controls
codes
schemas/index
```
"""
