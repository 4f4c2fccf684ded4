"""Writes the formula for Homebrew and the manifests for winget from the checksums of a release.

manifests.py RELEASE VERSION DOWNLOADS OUT: RELEASE is the folder with SHA256SUMS, DOWNLOADS is where its files are downloaded from.
A person submits what it writes: the formula to a tap, the manifests to the repository of winget.
"""

import sys
from pathlib import Path

PURPOSE = "Find PostgreSQL servers on Azure that do not enforce encryption in transit"
FORMULA = """\
# This formula has not run yet: no Homebrew has seen it.
class Hostssl < Formula
  desc "{purpose}"
  homepage "{home}"
  version "{version}"
  license "Apache-2.0"

  on_macos do
    on_arm do
{aarch64-apple-darwin}
    end
    on_intel do
{x86_64-apple-darwin}
    end
  end

  on_linux do
    on_arm do
{aarch64-unknown-linux-gnu}
    end
    on_intel do
{x86_64-unknown-linux-gnu}
    end
  end

  def install
    bin.install "hostssl"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/hostssl.bash" => "hostssl"
    zsh_completion.install "completions/_hostssl"
    fish_completion.install "completions/hostssl.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{{bin}}/hostssl --version")
    # The simulated Azure has servers that fail.
    shell_output("#{{bin}}/hostssl audit --simulate --no-save", 3)
  end
end
"""
WINGET = {
    "Hostssl.Hostssl.yaml": """\
# This manifest has not run yet: no winget has seen it.
PackageIdentifier: Hostssl.Hostssl
PackageVersion: "{version}"
DefaultLocale: en-US
ManifestType: version
ManifestVersion: 1.6.0
""",
    "Hostssl.Hostssl.installer.yaml": """\
# This manifest has not run yet: no winget has seen it.
PackageIdentifier: Hostssl.Hostssl
PackageVersion: "{version}"
InstallerType: zip
NestedInstallerType: portable
NestedInstallerFiles:
  - RelativeFilePath: {windows}\\hostssl.exe
    PortableCommandAlias: hostssl
Installers:
  - Architecture: x64
    InstallerUrl: {downloads}/{windows}.zip
    InstallerSha256: {sha256}
ManifestType: installer
ManifestVersion: 1.6.0
""",
    "Hostssl.Hostssl.locale.en-US.yaml": """\
# This manifest has not run yet: no winget has seen it.
PackageIdentifier: Hostssl.Hostssl
PackageVersion: "{version}"
PackageLocale: en-US
Publisher: hostssl
PackageName: hostssl
License: Apache-2.0
ShortDescription: {purpose}
ManifestType: defaultLocale
ManifestVersion: 1.6.0
""",
}
UNIX = ("aarch64-apple-darwin", "x86_64-apple-darwin", "aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu")
WINDOWS = "x86_64-pc-windows-msvc"


def main(release: Path, version: str, downloads: str, out: Path) -> None:
    lines = (release / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}

    def sum_of(name: str) -> str:
        if name not in sums:
            raise SystemExit(f"error: {release}/SHA256SUMS does not list {name}")
        return sums[name]

    def source(target: str) -> str:
        name = f"hostssl-{version}-{target}.tar.gz"
        return f'      url "{downloads}/{name}"\n      sha256 "{sum_of(name)}"'

    windows = f"hostssl-{version}-{WINDOWS}"
    values = {"version": version, "purpose": PURPOSE, "downloads": downloads, "home": downloads.split("/releases/")[0]}
    values |= {"windows": windows, "sha256": sum_of(f"{windows}.zip").upper()} | {target: source(target) for target in UNIX}
    # Everything is known before anything is written.
    files = {"homebrew/hostssl.rb": FORMULA} | {f"winget/{name}": text for name, text in WINGET.items()}
    for name, text in files.items():
        file = out / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format_map(values))
        print(file)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3].rstrip("/"), Path(sys.argv[4]))
