"""What a program needs of the system that it runs on."""

import re
import subprocess
from pathlib import Path


def glibc(program: Path) -> tuple[int, int]:
    """The oldest glibc that has every symbol of the program: the newest version that it names."""
    found = re.findall(rb"\0GLIBC_(\d+)\.(\d+)(?:\.\d+)?(?=\0)", program.read_bytes())
    if not found:
        raise SystemExit(f"error: {program.name} names no version of glibc; these packages are for programs that are linked with it")
    return max((int(major), int(minor)) for major, minor in found)


def libraries(program: Path) -> list[Path]:
    """The shared libraries that the program is linked with here, the loader among them."""
    printed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    missing = [line.strip() for line in printed.splitlines() if "not found" in line]
    if missing:
        raise SystemExit(f"error: {program.name}: {', '.join(missing)}")
    return sorted(Path(path) for path in re.findall(r"(/\S+) \(0x", printed))
