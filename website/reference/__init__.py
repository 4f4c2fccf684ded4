"""Writes the reference out of the program and the sources, so that there is no second truth beside them."""

from pathlib import Path

from . import codes, commands, schemas, standards

HEAD = """# Reference

Written by the program and its sources when the site is built; nothing of it is typed.

"""


def write(program: Path, root: Path, folder: Path) -> None:
    """Writes the pages of the reference into `folder`, which is in a copy of `root`."""
    folder.mkdir()
    index = commands.write(program, folder)
    (folder / "exit-codes.md").write_text(commands.exit_codes(program))
    (folder / "standards.md").write_text(standards.page(program))
    (folder / "codes.md").write_text(codes.page(root))
    schemas.write(root / "docs/schemas", folder)
    (folder / "index.md").write_text(HEAD + index + TREE)


TREE = """
Beside the commands: [exit codes](exit-codes.md), [all stable codes](codes.md), the [JSON formats](schemas/index.md), and
the [standards](standards.md) that the [controls](../docs/controls.md) answer.

```{toctree}
:hidden:

commands/index
exit-codes
codes
schemas/index
standards
```
"""
