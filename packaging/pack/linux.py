"""Debian and RPM packages, by nfpm: program, manual pages, completions, and hardened units with a timer."""

import gzip
import json
import os
import shutil
import subprocess
from email.utils import format_datetime
from pathlib import Path

from elf import glibc
from release import ROOT, Release

LINUX = ROOT / "packaging/linux"
# The folder holds for each service whose name begins as its own does.
UNITS = (
    "hostssl-audit.service",
    "hostssl-audit.timer",
    "hostssl-console.service",
    "hostssl-prober.service",
    "hostssl-.service.d/hardening.conf",
)
SETTINGS = ("audit.env", "console.env", "prober.env")
SUMMARY = "Find PostgreSQL servers on Azure that do not enforce encryption in transit"
DESCRIPTION = f"""{SUMMARY}
hostssl audits Azure Database for PostgreSQL, proves from the network what
servers do, lists the clients that would be refused, and fixes servers with
reversible plans. hostssl-audit.timer audits every day once it is enabled,
hostssl-console.service and hostssl-prober.service serve."""
MAINTAINER = "hostssl maintainers <maintainers@hostssl.invalid>"  # There is no address to write to yet.
ZSH = {"deb": "vendor-completions", "rpm": "site-functions"}


def pack_deb(release: Release) -> list[Path]:
    return [pack(release, "deb", f"hostssl_{release.version}_{release.platform.deb}.deb")]


def pack_rpm(release: Release) -> list[Path]:
    return [pack(release, "rpm", f"hostssl-{release.version}-1.{release.platform.rpm}.rpm")]


def pack(release: Release, kind: str, name: str) -> Path:
    file = release.out / name
    config = release.work / f"nfpm-{kind}.json"
    config.write_text(json.dumps(settings(release, kind)))
    nfpm = os.environ.get("NFPM") or shutil.which("nfpm") or str(ROOT / "target/venv-dist/bin/nfpm")
    if not Path(nfpm).exists():
        raise SystemExit("error: there is no nfpm; scripts/install-packaging-tools installs it")
    done = subprocess.run([nfpm, "package", "-f", config, "-p", kind, "-t", file], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"error: nfpm: {done.stdout}{done.stderr}")
    return file


def settings(release: Release, kind: str) -> dict:
    """nfpm's settings. JSON is YAML, too."""
    major, minor = glibc(release.binary)
    needs = {
        "deb": [f"libc6 (>= {major}.{minor})", "libgcc-s1"],
        "rpm": [f"libc.so.6(GLIBC_{major}.{minor})(64bit)", "libm.so.6()(64bit)", "libgcc_s.so.1()(64bit)"],
    }
    quick = release.level < 9
    return {
        "name": "hostssl",
        "arch": release.platform.deb,
        "platform": "linux",
        "version": release.version,
        "release": "1" if kind == "rpm" else "",
        "section": "database",
        "priority": "optional",
        "maintainer": MAINTAINER,
        "description": DESCRIPTION,
        "license": "Apache-2.0",
        "mtime": f"{release.time:%Y-%m-%dT%H:%M:%SZ}",
        "depends": needs[kind],
        "recommends": ["ca-certificates"],
        "contents": contents(release, kind),
        "scripts": scripts(kind),
        "deb": {"compression": "gzip" if quick else "xz"},
        "rpm": {"compression": "gzip:1" if quick else "xz", "summary": SUMMARY, "buildhost": "hostssl"},
    }


def scripts(kind: str) -> dict:
    """What runs beside the files. Where RPM is at home, systemd itself sees that its units changed."""
    reload_units = {"postinstall": f"{LINUX}/reload-units", "postremove": f"{LINUX}/reload-units"}
    return {"preremove": f"{LINUX}/disable-units"} | (reload_units if kind == "deb" else {})


def contents(release: Release, kind: str) -> list[dict]:
    stage, share, doc = release.stage, "/usr/share", "/usr/share/doc/hostssl"
    found = [
        file(stage / "hostssl", "/usr/bin/hostssl", 0o755),
        file(stage / "completions/hostssl.bash", f"{share}/bash-completion/completions/hostssl"),
        file(stage / "completions/_hostssl", f"{share}/zsh/{ZSH[kind]}/_hostssl"),
        file(stage / "completions/hostssl.fish", f"{share}/fish/vendor_completions.d/hostssl.fish"),
        *(file(LINUX / unit, f"/usr/lib/systemd/system/{unit}") for unit in UNITS),
        *(file(LINUX / name, f"/etc/hostssl/{name}", 0o600) | {"type": "config|noreplace"} for name in SETTINGS),
        file(LINUX / "copyright", f"{doc}/copyright"),
        file(stage / "README.md", f"{doc}/README.md"),
        file(stage / "sbom.cdx.json", f"{doc}/sbom.cdx.json"),
        file(squeezed(release, stage / "CHANGELOG.md"), f"{doc}/CHANGELOG.md.gz"),
        file(squeezed(release, stage / "THIRD-PARTY-LICENSES.txt"), f"{doc}/THIRD-PARTY-LICENSES.txt.gz"),
        file(squeezed(release, stage / "licenses/rust-library.html"), f"{doc}/rust-library.html.gz"),
    ]
    if kind == "rpm":
        found.append(file(stage / "LICENSE", f"{doc}/LICENSE"))
    if kind == "deb":
        found.append(file(squeezed(release, debian_changelog(release)), f"{doc}/changelog.gz"))
        found.append(file(LINUX / "lintian-overrides", f"{share}/lintian/overrides/hostssl"))
    for page in sorted((stage / "man").iterdir()):
        found.append(file(squeezed(release, page), f"{share}/man/man1/{page.name}.gz"))
    return found


def file(source: Path, place: str, mode: int = 0o644) -> dict:
    return {"src": str(source), "dst": place, "file_info": {"mode": mode, "owner": "root", "group": "root"}}


def debian_changelog(release: Release) -> Path:
    """The form that Debian's tools read."""
    changelog = release.work / "changelog"
    text = f"hostssl ({release.version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n"
    changelog.write_text(f"{text} -- {MAINTAINER}  {format_datetime(release.time)}\n")
    return changelog


def squeezed(release: Release, source: Path) -> Path:
    """The file as gzip -9n writes it, which Debian's policy asks for."""
    folder = release.work / "squeezed"
    folder.mkdir(exist_ok=True)
    small = folder / f"{source.name}.gz"
    small.write_bytes(gzip.compress(source.read_bytes(), 9, mtime=0))
    return small
