"""The archive that a person unpacks and runs, and the same as a ZIP file, which winget takes."""

from pathlib import Path

from archive import compressed, entries, tar, zipped
from release import Release


def pack(release: Release) -> list[Path]:
    name = release.stage.name
    file = release.out / f"{name}.tar.gz"
    file.write_bytes(compressed(tar(entries(release.stage, name), release.epoch), release.level))
    return [file]


def pack_zip(release: Release) -> list[Path]:
    name = release.stage.name
    file = release.out / f"{name}.zip"
    file.write_bytes(zipped(entries(release.stage, name), release.epoch, release.level))
    return [file]
