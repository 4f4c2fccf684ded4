"""Fills the folder that everything is packed from: the program, what it prints about itself, and the texts."""

import shutil
import subprocess

import notices
import sbom
from release import ROOT, Release

TEXTS = ("README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md")
UNITS = ("hostssl-audit.service", "hostssl-audit.timer", "audit.env")
COMPLETIONS = {"bash": "hostssl.bash", "zsh": "_hostssl", "fish": "hostssl.fish", "powershell": "hostssl.ps1"}


def stage(release: Release) -> None:
    folder = release.stage
    (folder / "completions").mkdir(parents=True)
    shutil.copy(release.binary, folder / release.binary.name)
    for text in TEXTS:
        shutil.copyfile(ROOT / text, folder / text)
    run(release, "man", "--dir", str(folder / "man"))
    for shell, name in COMPLETIONS.items():
        (folder / "completions" / name).write_bytes(run(release, "completion", shell))
    notices.write(release)
    sbom.write(release)
    if release.platform.deb:
        shutil.copytree(ROOT / "packaging/linux", folder / "systemd", ignore=lambda _, names: set(names) - set(UNITS))


def run(release: Release, *arguments: str) -> bytes:
    """Runs the program as nobody's: help names the values that options have in the environment."""
    done = subprocess.run([release.binary, *arguments], check=True, capture_output=True, env={"HOME": str(release.work)})
    return done.stdout
