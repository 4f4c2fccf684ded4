"""What the program is made of, for machines: a bill of materials in CycloneDX 1.6."""

import json
import re
import uuid
from pathlib import Path

from crates import Crate, crates
from release import ROOT, Release

NAME = "sbom.cdx.json"


def write(release: Release) -> None:
    all_crates = crates(release.target)
    reference = {crate.key: ref(crate) for crate in all_crates}
    program = next(crate for crate in all_crates if crate.name == "hostssl")
    inside = [sqlite(all_crates), htmx()]
    parts = [component(crate) for crate in all_crates if crate is not program] + inside
    needs = {reference[crate.key]: [reference[need] for need in crate.needs] for crate in all_crates}
    for crate in all_crates:
        if crate.name == "libsqlite3-sys":
            needs[reference[crate.key]].append(inside[0]["bom-ref"])
        if crate.name == "hostssl-console":
            needs[reference[crate.key]].append(inside[1]["bom-ref"])
    bill = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # Of the commit and the target: the same program has the same bill.
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_OID, f"hostssl {release.commit} {release.target}").urn,
        "version": 1,
        "metadata": {
            "timestamp": f"{release.time:%Y-%m-%dT%H:%M:%SZ}",
            "lifecycles": [{"phase": "build"}],
            "component": component(program) | {"type": "application"},
            "properties": [
                {"name": "hostssl:commit", "value": release.commit},
                {"name": "hostssl:target", "value": release.target},
            ],
        },
        "components": parts,
        "dependencies": [{"ref": one, "dependsOn": sorted(set(needs[one]))} for one in sorted(needs)],
    }
    (release.stage / NAME).write_text(json.dumps(bill, indent=1, ensure_ascii=False) + "\n")


def pack(release: Release) -> list[Path]:
    """The bill beside the packages that have it, for those who only want to read it."""
    file = release.out / f"{release.stage.name}.cdx.json"
    file.write_bytes((release.stage / NAME).read_bytes())
    return [file]


def ref(crate: Crate) -> str:
    return f"pkg:cargo/{crate.name}@{crate.version}"


def component(crate: Crate) -> dict:
    found = {
        "type": "library",
        "bom-ref": ref(crate),
        "name": crate.name,
        "version": crate.version,
        "description": crate.description,
        # Older manifests write OR as a slash.
        "licenses": [{"expression": re.sub(r"\s*/\s*", " OR ", crate.license)}],
    }
    if crate.is_ours:
        return found
    found |= {"purl": ref(crate), "hashes": [{"alg": "SHA-256", "content": crate.sha256}]}
    if crate.repository:
        found["externalReferences"] = [{"type": "vcs", "url": crate.repository}]
    return found


def sqlite(all_crates: list[Crate]) -> dict:
    """The C library inside a crate, which scanners know by another name."""
    folder = next(crate.folder for crate in all_crates if crate.name == "libsqlite3-sys")
    version = re.search(r'#define SQLITE_VERSION\s+"([\d.]+)"', (folder / "sqlite3/sqlite3.h").read_text())[1]
    return {
        "type": "library",
        "bom-ref": f"pkg:generic/sqlite@{version}",
        "name": "sqlite",
        "version": version,
        "licenses": [{"license": {"id": "blessing"}}],
        "cpe": f"cpe:2.3:a:sqlite:sqlite:{version}:*:*:*:*:*:*:*",
        "purl": f"pkg:generic/sqlite@{version}",
    }


def htmx() -> dict:
    file = next((ROOT / "crates/console/assets").glob("htmx-*.min.js"))
    version = file.name.removeprefix("htmx-").removesuffix(".min.js")
    return {
        "type": "library",
        "bom-ref": f"pkg:npm/htmx.org@{version}",
        "name": "htmx.org",
        "version": version,
        "licenses": [{"license": {"id": "0BSD"}}],
        "purl": f"pkg:npm/htmx.org@{version}",
    }
