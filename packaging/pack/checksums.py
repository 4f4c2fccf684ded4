"""SHA256SUMS, as `sha256sum -c` reads it."""

import hashlib
from pathlib import Path


def write(out: Path, files: list[Path]) -> list[Path]:
    """Writes the sums of what was packed now, and of nothing that an earlier run left behind."""
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    sums = out / "SHA256SUMS"
    sums.write_text("".join(sorted(lines, key=lambda line: line.split()[1])))
    return [*files, sums]
