"""Fills the folder that everything is packed from: the program, what it prints about itself, and the texts."""

import re
import shutil
import subprocess

import notices
import sbom
from linux import LINUX, SETTINGS, UNITS
from release import ROOT, Release

TEXTS = ("README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md")
# Sections of README.md for whoever has the repository.
BEFORE = ("Try it without an account", "Install", "Read on")
HELP = "`hostssl help COMMAND` and `hostssl man` explain every command and option.\n\n"
COMPLETIONS = {"bash": "hostssl.bash", "zsh": "_hostssl", "fish": "hostssl.fish", "powershell": "hostssl.ps1"}


def stage(release: Release) -> None:
    folder = release.stage
    (folder / "completions").mkdir(parents=True)
    shutil.copy(release.binary, folder / release.binary.name)
    for text in TEXTS:
        page = (ROOT / text).read_text()
        (folder / text).write_text(alone(page) if text.endswith(".md") else page)
    run(release, "man", "--dir", str(folder / "man"))
    for shell, name in COMPLETIONS.items():
        (folder / "completions" / name).write_bytes(run(release, "completion", shell))
    notices.write(release)
    sbom.write(release)
    if release.platform.deb:
        for name in (*UNITS, *SETTINGS):
            place = folder / "systemd" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(LINUX / name, place)


def alone(page: str) -> str:
    """A page for whoever has the package only: without pictures, what comes before the installation, and links to other pages."""
    page = re.sub(r"<picture>.*?</picture>\n*", "", page, flags=re.S)
    page = re.sub(rf"^## ({'|'.join(BEFORE)})\n.*?(?=^## )", lambda cut: HELP if cut[1] == BEFORE[-1] else "", page, flags=re.M | re.S)
    return re.sub(r"\[([^\]]*)\]\((?!https?:|#)[^)]*\)", r"\1", page)


def run(release: Release, *arguments: str) -> bytes:
    """Runs the program as nobody's: help names the values that options have in the environment."""
    done = subprocess.run([release.binary, *arguments], check=True, capture_output=True, env={"HOME": str(release.work)})
    return done.stdout
