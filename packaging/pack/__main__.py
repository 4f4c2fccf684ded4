"""Packs a program that is already built, in every form in which it is shipped. `scripts/dist` calls this."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import checksums
import image
import linux
import npm
import sbom
import tarball
import wheel
from contents import stage
from release import Release

# In the order in which they are packed.
FORMATS = {
    "tarball": tarball.pack,
    "zip": tarball.pack_zip,
    "deb": linux.pack_deb,
    "rpm": linux.pack_rpm,
    "wheel": wheel.pack,
    "npm": npm.pack,
    "image": image.pack,
    "sbom": sbom.pack,
}


def main() -> int:
    options = argparse.ArgumentParser(prog="pack", description=__doc__)
    options.add_argument("--binary", type=Path, required=True)
    options.add_argument("--target", required=True, help="the target triple of the program")
    options.add_argument("--commit", required=True)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--fast", action="store_true", help="hardly compress, for tests")
    options.add_argument("formats", nargs="*", metavar="FORMAT", help=", ".join(FORMATS))
    chosen = options.parse_args()
    unknown = [name for name in chosen.formats if name not in FORMATS]
    if unknown:
        options.error(f"no format is called {', '.join(unknown)}; there are {', '.join(FORMATS)}")
    if "SOURCE_DATE_EPOCH" not in os.environ:
        options.error("SOURCE_DATE_EPOCH is not set: it is the time of the commit, in seconds")
    os.umask(0o022)
    chosen.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        release = Release.of(chosen, Path(work))
        stage(release)
        wanted = [name for name in FORMATS if name in (chosen.formats or release.formats)]
        files = [file for name in wanted for file in FORMATS[name](release)]
        for file in checksums.write(chosen.out, files):
            print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
