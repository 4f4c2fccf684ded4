"""The archive that a person unpacks and runs."""

from pathlib import Path

from archive import compressed, entries, tar
from release import Release


def pack(release: Release) -> list[Path]:
    name = release.stage.name
    file = release.out / f"{name}.tar.gz"
    file.write_bytes(compressed(tar(entries(release.stage, name), release.epoch), release.level))
    return [file]
