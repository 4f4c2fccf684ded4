"""What is packed: the program, its version, commit and target, and what each ecosystem calls that target."""

import os
import re
import subprocess
from argparse import Namespace
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Platform:
    """A target triple, and its names elsewhere."""

    formats: tuple[str, ...]
    deb: str = ""
    rpm: str = ""
    npm: str = ""
    oci: str = ""
    wheel: str = ""


LINUX = ("tarball", "deb", "rpm", "wheel", "npm", "image", "sbom")
ELSEWHERE = ("tarball", "sbom")
PLATFORMS = {
    "x86_64-unknown-linux-gnu": Platform(LINUX, "amd64", "x86_64", "linux-x64", "amd64", "x86_64"),
    "aarch64-unknown-linux-gnu": Platform(LINUX, "arm64", "aarch64", "linux-arm64", "arm64", "aarch64"),
    "x86_64-apple-darwin": Platform(ELSEWHERE),
    "aarch64-apple-darwin": Platform(ELSEWHERE),
    "x86_64-pc-windows-msvc": Platform(("zip", *ELSEWHERE)),
}


@dataclass(frozen=True)
class Release:
    """Everything that the packers need. `stage` fills the folder of that name first."""

    version: str
    commit: str
    target: str
    binary: Path
    work: Path
    out: Path
    level: int
    epoch: int = field(default_factory=lambda: int(os.environ["SOURCE_DATE_EPOCH"]))

    @classmethod
    def of(cls, chosen: Namespace, work: Path) -> "Release":
        """Takes the program as it is, or stripped where packing has to be quick."""
        if chosen.target not in PLATFORMS:
            raise SystemExit(f"error: {chosen.target} is not a target that is shipped: {', '.join(PLATFORMS)}")
        binary = work / ("hostssl.exe" if "windows" in chosen.target else "hostssl")
        binary.write_bytes(chosen.binary.read_bytes())
        binary.chmod(0o755)
        if chosen.fast:
            subprocess.run(["strip", binary], check=True)
        said = subprocess.run([binary, "--version"], check=True, capture_output=True, text=True).stdout
        version = re.fullmatch(r"hostssl (\d+\.\d+\.\d+\S*)\n", said)
        if version is None:
            raise SystemExit(f"error: {chosen.binary} --version prints {said!r}, not a version of hostssl")
        details = subprocess.run([binary, "--version", "--verbose"], check=True, capture_output=True, text=True).stdout
        if not chosen.fast and f"\ncommit: {chosen.commit}\n" not in details:
            raise SystemExit(f"error: {chosen.binary} is not a build of exactly {chosen.commit}: let scripts/dist build it")
        level = 0 if chosen.fast else 9
        return cls(version[1], chosen.commit, chosen.target, binary, work, chosen.out.resolve(), level)

    @property
    def platform(self) -> Platform:
        return PLATFORMS[self.target]

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.epoch, UTC)

    @property
    def formats(self) -> tuple[str, ...]:
        return self.platform.formats

    @property
    def stage(self) -> Path:
        """The folder that a tarball holds, and of which every other format takes its files."""
        return self.work / f"hostssl-{self.version}-{self.target}"
