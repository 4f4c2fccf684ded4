"""A wheel with the program as its script, for pip, pipx and uv. maturin makes such wheels only of what it builds itself."""

import base64
import hashlib
from pathlib import Path

from archive import Entry, zipped
from elf import glibc
from release import Release

LICENSES = ("LICENSE", "THIRD-PARTY-LICENSES.txt", "licenses/rust-library.html")


def pack(release: Release) -> list[Path]:
    # PEP 600: the tag names the oldest glibc.
    major, minor = glibc(release.binary)
    tag = f"py3-none-manylinux_{major}_{minor}_{release.platform.wheel}"
    base = f"hostssl-{release.version}"
    info = f"{base}.dist-info"
    entries = [Entry(f"{base}.data/scripts/hostssl", release.binary.read_bytes(), 0o755)]
    entries += [Entry(f"{info}/licenses/{name}", (release.stage / name).read_bytes()) for name in LICENSES]
    entries += [
        Entry(f"{info}/sboms/hostssl.cdx.json", (release.stage / "sbom.cdx.json").read_bytes()),
        Entry(f"{info}/METADATA", metadata(release).encode()),
        Entry(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: hostssl\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()),
    ]
    entries.append(Entry(f"{info}/RECORD", record(entries, f"{info}/RECORD").encode()))
    file = release.out / f"{base}-{tag}.whl"
    file.write_bytes(zipped(entries, release.epoch, release.level))
    return [file]


def metadata(release: Release) -> str:
    head = [
        "Metadata-Version: 2.4",
        "Name: hostssl",
        f"Version: {release.version}",
        "Summary: Find, prove and fix PostgreSQL servers on Azure that do not enforce encryption in transit",
        "License-Expression: Apache-2.0",
        *(f"License-File: {name}" for name in LICENSES),
        "Requires-Python: >=3.8",
        "Description-Content-Type: text/markdown",
    ]
    return "\n".join(head) + "\n\n" + (release.stage / "README.md").read_text()


def record(entries: list[Entry], itself: str) -> str:
    def line(entry: Entry) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha256(entry.data).digest()).rstrip(b"=").decode()
        return f"{entry.name},sha256={digest},{len(entry.data)}\n"

    return "".join(line(entry) for entry in entries) + f"{itself},,\n"
