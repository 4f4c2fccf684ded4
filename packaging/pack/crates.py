"""The crates that the program is made of, as Cargo resolves them for its target."""

import json
import subprocess
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from release import ROOT


@dataclass(frozen=True)
class Crate:
    """A package of the dependency graph."""

    name: str
    version: str
    license: str
    description: str
    repository: str
    authors: tuple[str, ...]
    folder: Path
    # Of the archive in the registry; ours have none.
    sha256: str | None
    needs: tuple[tuple[str, str], ...]

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.version

    @property
    def is_ours(self) -> bool:
        return self.sha256 is None


@cache
def crates(target: str) -> list[Crate]:
    """Ours and all that are linked into the program or write code of it (procedural macros); not what only builds or tests it."""
    tree = cargo("tree", "--package", "hostssl", "--edges", "normal", "--target", target, "--prefix", "none", "--format", "{p}")
    words = {tuple(line.split()[:2]) for line in tree.splitlines() if line}
    shipped = {(name, version.removeprefix("v")) for name, version in words}
    metadata = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", target))
    packages = {package["id"]: package for package in metadata["packages"]}
    key = {id: (package["name"], package["version"]) for id, package in packages.items()}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    sums = {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}
    found = []
    for id, package in packages.items():
        if key[id] not in shipped:
            continue
        normal = [dep["pkg"] for dep in nodes[id]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
        needs = tuple(sorted(key[need] for need in normal if key[need] in shipped))
        found.append(
            Crate(
                *key[id],
                package["license"] or "",
                " ".join((package["description"] or "").split()),
                package["repository"] or "",
                tuple(package["authors"]),
                Path(package["manifest_path"]).parent,
                sums[key[id]],
                needs,
            )
        )
    missing = shipped - {crate.key for crate in found}
    if missing:
        raise SystemExit(f"error: cargo metadata does not have what cargo tree has: {missing}")
    return sorted(found, key=lambda crate: crate.key)


def cargo(*arguments: str) -> str:
    return subprocess.run(
        ["cargo", *arguments, "--locked", "--quiet"], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ).stdout
