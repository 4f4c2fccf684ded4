"""npm packages: one with the program for each platform, and one that finds the right one. Nothing is downloaded at installation."""

import json
from pathlib import Path

from archive import Entry, compressed, tar
from release import PLATFORMS, ROOT, Release

SUMMARY = "Find, prove and fix PostgreSQL servers on Azure that do not enforce encryption in transit"


def pack(release: Release) -> list[Path]:
    system, machine = release.platform.npm.split("-")
    name = f"hostssl-{release.platform.npm}"
    with_program = common(name, release) | {
        "description": f"The program of hostssl for {system} on {machine}",
        "os": [system],
        "cpu": [machine],
        "libc": ["glibc"],
        "preferUnplugged": True,
    }
    texts = ("LICENSE", "THIRD-PARTY-LICENSES.txt", "licenses/rust-library.html", "sbom.cdx.json")
    program = [Entry("bin/hostssl", release.binary.read_bytes(), 0o755), *(of(release, text) for text in texts)]
    platforms = sorted(platform.npm for platform in PLATFORMS.values() if platform.npm)
    front = common("hostssl", release) | {
        "description": SUMMARY,
        "bin": {"hostssl": "bin/hostssl.js"},
        "engines": {"node": ">=18"},
        "optionalDependencies": {f"hostssl-{platform}": release.version for platform in platforms},
    }
    script = Entry("bin/hostssl.js", (ROOT / "packaging/npm/hostssl.js").read_bytes(), 0o755)
    return [
        write(release, name, with_program, program),
        write(release, "hostssl", front, [script, of(release, "README.md"), of(release, "LICENSE")]),
    ]


def common(name: str, release: Release) -> dict:
    return {"name": name, "version": release.version, "license": "Apache-2.0"}


def of(release: Release, name: str) -> Entry:
    return Entry(name, (release.stage / name).read_bytes())


def write(release: Release, name: str, manifest: dict, entries: list[Entry]) -> Path:
    entries = [Entry("package.json", (json.dumps(manifest, indent=2) + "\n").encode()), *entries]
    packed = tar([Entry(f"package/{entry.name}", entry.data, entry.mode) for entry in entries], release.epoch)
    file = release.out / f"{name}-{release.version}.tgz"
    file.write_bytes(compressed(packed, release.level))
    return file
