"""Writes the manifests of a release of which only this platform is real: manifests.py FOLDER VERSION. Neither Homebrew nor winget runs here.

What is compared is that every file is one that is packed under that name, with its checksum, and that nothing is written without one.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
PACKAGES, VERSION = Path(sys.argv[1]), sys.argv[2]
sys.path.insert(0, str(ROOT / "packaging/pack"))
from release import PLATFORMS  # noqa: E402

URL = f"https://downloads.test/hostssl/releases/download/v{VERSION}"


def written(release: Path, out: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-B", ROOT / "packaging/manifests.py", release, VERSION, URL, out]
    return subprocess.run(command, capture_output=True, text=True)


def sums_of(folder: Path, names: list[str]) -> dict[str, str]:
    sums = {}
    for name in names:
        real = PACKAGES / name
        sums[name] = hashlib.sha256(real.read_bytes() if real.exists() else name.encode()).hexdigest()
    (folder / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    return sums


with tempfile.TemporaryDirectory() as work:
    release, out = Path(work, "release"), Path(work, "out")
    release.mkdir()
    endings = {"tarball": "tar.gz", "zip": "zip"}
    names = [
        f"hostssl-{VERSION}-{target}.{endings[one]}" for target, platform in PLATFORMS.items() for one in platform.formats if one in endings
    ]
    assert any((PACKAGES / name).exists() for name in names), names
    sums = sums_of(release, names)
    done = written(release, out)
    assert done.returncode == 0, done.stderr
    formula = (out / "homebrew/hostssl.rb").read_text()
    found = re.findall(r'^ +url "(.*)"\n +sha256 "(.*)"$', formula, re.M)
    unix = [name for name in names if "windows" not in name]
    assert sorted(found) == sorted((f"{URL}/{name}", sums[name]) for name in unix), found
    assert not re.search(r"[{}]", formula.replace("#{bin}", "")), formula
    assert formula.count(" do\n") + formula.count("class ") + formula.count("def ") == len(re.findall(r"^ *end$", formula, re.M))
    documents = {file.name: YAML(typ="safe").load(file) for file in (out / "winget").iterdir()}
    assert {one["ManifestType"] for one in documents.values()} == {"version", "installer", "defaultLocale"}
    assert {(one["PackageIdentifier"], one["PackageVersion"]) for one in documents.values()} == {("Hostssl.Hostssl", VERSION)}
    [installer] = [one for one in documents.values() if one["ManifestType"] == "installer"]
    name = f"hostssl-{VERSION}-x86_64-pc-windows-msvc"
    [source] = installer["Installers"]
    assert (source["InstallerUrl"], source["InstallerSha256"]) == (f"{URL}/{name}.zip", sums[f"{name}.zip"].upper()), source
    assert installer["NestedInstallerFiles"][0]["RelativeFilePath"] == f"{name}\\hostssl.exe"
    for file in [out / "homebrew/hostssl.rb", *(out / "winget").iterdir()]:
        assert "has not run yet" in file.read_text().splitlines()[0], file
    # A release that lacks a platform has no manifests.
    sums_of(release, names[1:])
    none = Path(work, "none")
    done = written(release, none)
    assert done.returncode == 1 and "does not list" in done.stderr and not none.exists(), done
