"""Archives whose bytes depend on their contents alone: sorted, of one time, of nobody."""

import gzip
import io
import tarfile
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """A file or, without data, a folder."""

    name: str
    data: bytes | None
    mode: int = 0o644
    owner: int = 0


def entries(folder: Path, below: str) -> list[Entry]:
    """The files of a folder, under another name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        Entry(f"{below}/{path.relative_to(folder).as_posix()}", path.read_bytes(), 0o755 if path.stat().st_mode & 0o100 else 0o644)
        for path in files
    ]


def tar(contents: list[Entry], epoch: int) -> bytes:
    """An uncompressed tar archive. Its folders come before what is in them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for entry in sorted(contents, key=lambda entry: entry.name):
            member = tarfile.TarInfo(entry.name)
            member.mtime, member.mode = epoch, entry.mode
            member.uid = member.gid = entry.owner
            if entry.data is None:
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            else:
                member.size = len(entry.data)
                archive.addfile(member, io.BytesIO(entry.data))
    return buffer.getvalue()


def compressed(data: bytes, level: int) -> bytes:
    """gzip without a name and a time."""
    return gzip.compress(data, level, mtime=0)


def zipped(contents: list[Entry], epoch: int, level: int) -> bytes:
    """A ZIP file, in the order that is given: wheels have a rule about it."""
    buffer = io.BytesIO()
    time = datetime.fromtimestamp(epoch, UTC).timetuple()[:6]
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for entry in contents:
            member = zipfile.ZipInfo(entry.name, time)
            member.create_system, member.external_attr = 3, (0o100000 | entry.mode) << 16
            archive.writestr(member, entry.data or b"", zipfile.ZIP_DEFLATED, level)
    return buffer.getvalue()
