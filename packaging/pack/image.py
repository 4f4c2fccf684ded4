"""An OCI image from scratch: the program, the libraries that it is linked with, root certificates, and a user who is not root.

Written without a daemon. The libraries and the certificates are those of the Debian or Ubuntu on which it is packed; the versions
of their packages are in the image, beside their terms.
"""

import hashlib
import json
import platform
import subprocess
from pathlib import Path

from archive import Entry, compressed, tar
from elf import glibc, libraries
from release import Release

USER = 65532
# Not /etc/ssl/certs, where a machine's own certificates are as well.
CERTIFICATES = Path("/usr/share/ca-certificates/mozilla")
TITLE = "hostssl"


def pack(release: Release) -> list[Path]:
    layer = tar(root(release), release.epoch)
    small = compressed(layer, release.level)
    blobs: dict[str, bytes] = {}

    def blob(data: bytes, kind: str, **more: object) -> dict:
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data), **more}

    config = blob(dump(configuration(release, layer)), "config.v1+json")
    layers = [blob(small, "layer.v1.tar+gzip")]
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": layers}
    architecture = release.platform.oci
    described = blob(
        dump(manifest),
        "manifest.v1+json",
        annotations={"org.opencontainers.image.ref.name": release.version},
        platform={"os": "linux", "architecture": architecture},
    )
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [described]}
    entries = [Entry("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'), Entry("index.json", dump(index))]
    entries += [Entry("blobs", None, 0o755), Entry("blobs/sha256", None, 0o755)]
    entries += [Entry(f"blobs/sha256/{digest}", data) for digest, data in blobs.items()]
    file = release.out / f"hostssl-{release.version}-linux-{architecture}.oci.tar"
    file.write_bytes(tar(entries, release.epoch))
    return [file]


def configuration(release: Release, layer: bytes) -> dict:
    created = f"{release.time:%Y-%m-%dT%H:%M:%SZ}"
    return {
        "created": created,
        "architecture": release.platform.oci,
        "os": "linux",
        "config": {
            "User": f"{USER}:{USER}",
            "Entrypoint": ["/usr/bin/hostssl"],
            "Env": ["PATH=/usr/bin", "HOSTSSL_STATE=/state", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],
            "Volumes": {"/state": {}},
            "WorkingDir": "/state",
            "Labels": {
                "org.opencontainers.image.title": TITLE,
                "org.opencontainers.image.version": release.version,
                "org.opencontainers.image.revision": release.commit,
                "org.opencontainers.image.licenses": "Apache-2.0",
                "org.opencontainers.image.created": created,
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [{"created": created, "comment": "scripts/dist"}],
    }


def root(release: Release) -> list[Entry]:
    """The root file system."""
    linked = libraries(release.binary)
    doc = "usr/share/doc"
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    files = [
        Entry("usr/bin/hostssl", release.binary.read_bytes(), 0o755),
        Entry("etc/passwd", f"root:x:0:0:root:/:/none\nhostssl:x:{USER}:{USER}::/state:/none\n".encode()),
        Entry("etc/group", f"root:x:0:\nhostssl:x:{USER}:\n".encode()),
        Entry("etc/nsswitch.conf", b"hosts: files dns\n"),
        Entry("etc/ssl/certs/ca-certificates.crt", certificates()),
    ]
    files += [Entry(str(path).lstrip("/"), path.read_bytes(), 0o755) for path in linked]
    for text in ("LICENSE", "THIRD-PARTY-LICENSES.txt", "licenses/rust-library.html", "sbom.cdx.json"):
        files.append(Entry(f"{doc}/hostssl/{Path(text).name}", (release.stage / text).read_bytes()))
    for package, version in sorted({package_of(path) for path in [*linked, CERTIFICATES]}):
        files.append(Entry(f"{doc}/{package}/copyright", Path(f"/usr/share/doc/{package}/copyright").read_bytes()))
        source = f"From {system}, package {package} {version}; its source is in that system's archive.\n"
        files.append(Entry(f"{doc}/{package}/source", source.encode()))
    folders = {str(parent) for file in files for parent in Path(file.name).parents if str(parent) != "."}
    entries = [Entry(folder, None, 0o755) for folder in folders]
    entries += [Entry("tmp", None, 0o1777), Entry("state", None, 0o700, USER)]
    check_resolver(linked)
    return files + entries


def check_resolver(linked: list[Path]) -> None:
    """Since 2.34, glibc resolves names without libraries that it loads later and that are not in the image."""
    library = next(path for path in linked if path.name == "libc.so.6")
    if glibc(library) < (2, 34):
        raise SystemExit(f"error: {library} is older than 2.34; pack the image on Debian 12 or Ubuntu 22.04, or a later one")


def certificates() -> bytes:
    files = sorted(CERTIFICATES.glob("*.crt"))
    if not files:
        raise SystemExit("error: there are no root certificates; install Debian's package ca-certificates")
    return b"".join(file.read_bytes() for file in files)


def package_of(path: Path) -> tuple[str, str]:
    """Debian's package of a file and its version. A file of /lib may be registered below /usr/lib, or the other way round."""
    for place in (str(path), f"/usr{path}", str(path).removeprefix("/usr"), str(path.resolve())):
        owned = subprocess.run(["dpkg-query", "--search", place], capture_output=True, text=True)
        if owned.returncode == 0:
            package = owned.stdout.split(":")[0]
            shown = subprocess.run(
                ["dpkg-query", "--show", "--showformat", "${Version}\n", package], check=True, capture_output=True, text=True
            )
            return package, shown.stdout.split()[0]
    raise SystemExit(f"error: {path} is of no package; images are packed on Debian or Ubuntu, where the terms of every library are known")


def dump(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
