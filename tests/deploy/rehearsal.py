"""Runs the containers of the rendered manifests as Kubernetes would, without it: rehearsal.py PROGRAM FOLDER

FOLDER has the rendered manifests and `image`, what scripts/dist made. Each container gets the root file system of the image, read
only, its user, its groups and no privilege, its volumes, its variables and its arguments. Azure is simulated, and who signs in is
what the webhook of workload identity would give. tests/deploy/run starts this in namespaces of its own."""

import errno
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml
from manifests import pod_of

PROGRAM, FOLDER = sys.argv[1], Path(sys.argv[2])
# Where the image has nothing, and Kubernetes mounts something.
PLACES = ("etc/hostssl", "etc/hostssl-prober-key", "var/run/secrets/azure", "azure")
ZONES = '[[rule]]\nzone = "hub-weu"\nvirtual-network = "vnet-data"\n'


def until(what: str, holds, seconds: float = 60):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if found := holds():
            return found
        time.sleep(0.05)
    raise AssertionError(f"did not happen within {seconds} s: {what}")


def rendered(name: str) -> list[dict]:
    return list(yaml.safe_load_all((FOLDER / f"{name}.yaml").read_text()))


def unpack(image: Path) -> tuple[Path, dict[str, str]]:
    """The root file system of an OCI image, read only, and its variables."""
    layout, root = FOLDER / "layout", FOLDER / "root"
    with tarfile.open(image) as archive:
        archive.extractall(layout, filter="data")

    def blob(described: dict) -> Path:
        return layout / "blobs/sha256" / described["digest"].removeprefix("sha256:")

    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads(blob(index["manifests"][0]).read_text())
    settings = json.loads(blob(manifest["config"]).read_text())["config"]
    assert settings["Entrypoint"] == ["/usr/bin/hostssl"], settings
    for layer in manifest["layers"]:
        with tarfile.open(blob(layer)) as archive:
            archive.extractall(root, filter="tar")
    for place in PLACES:
        (root / place).mkdir(parents=True)
    # What runs a container writes it.
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    subprocess.run(["mount", "--bind", root, root], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", root], check=True)
    try:
        (root / "written").touch()
    except OSError as error:
        assert error.errno == errno.EROFS, error
    else:
        raise AssertionError("the root file system is not read only")
    return root, dict(variable.split("=", 1) for variable in settings["Env"])


class Container:
    """A container of a rendered document, in a root file system with variables of its own."""

    def __init__(self, image: tuple[Path, dict[str, str]], documents: list[dict], name: str, mounts: dict[str, Path], more: dict[str, str]):
        document = next(document for document in documents if document["metadata"]["name"] == name and pod_of(document))
        pod = pod_of(document)["spec"]
        self.root, self.spec, self.security = image[0], pod["containers"][0], pod["securityContext"]
        self.mounts = {mount["mountPath"]: (mounts[mount["name"]], mount.get("readOnly", False)) for mount in self.spec["volumeMounts"]}
        self.variables = image[1] | more
        for variable in self.spec.get("env", []):
            if "value" in variable:
                self.variables[variable["name"]] = variable["value"]

    def command(self, *arguments: str) -> list[str]:
        """What runs the program in it. Nothing forks, so that a signal reaches the program."""
        script = []
        for place, (source, read_only) in self.mounts.items():
            script += [f"mount --bind {source} {self.root}{place}"]
            script += [f"mount -o remount,bind,ro {self.root}{place}"] if read_only else []
        user, group = self.security["runAsUser"], self.security["runAsGroup"]
        become = f"--userspec={user}:{group} --groups={self.security['fsGroup']}"
        # The variables of the container say where its own programs are.
        chroot = f"{shutil.which('chroot')} {become}"
        script += [f'exec setpriv --no-new-privs {chroot} {self.root} /usr/bin/hostssl "$@"']
        return ["unshare", "--mount", "sh", "-ec", "\n".join(script), "sh", *arguments]

    def arguments(self) -> list[str]:
        """Those of the manifest, with the variables that they name."""
        return [re.sub(r"\$\((\w+)\)", lambda name: self.variables[name[1]], argument) for argument in self.spec["args"]]

    def runs(self, *arguments: str, **more: str) -> subprocess.CompletedProcess:
        """Runs to its end, as `kubectl exec` or as a job."""
        command = self.command(*(arguments or self.arguments()))
        return subprocess.run(command, env=self.variables | more, capture_output=True, text=True)

    def starts(self, log: str) -> subprocess.Popen:
        with (FOLDER / log).open("w") as file:
            return subprocess.Popen(self.command(*self.arguments()), env=self.variables, stdout=file, stderr=file)


def volume(name: str, group: int) -> Path:
    """A new disk, as the kubelet hands it over for an fsGroup."""
    place = FOLDER / name
    place.mkdir()
    os.chown(place, 0, group)
    place.chmod(0o2775)
    return place


def simulated_azure() -> tuple[Path, dict[str, str]]:
    """Starts it. Returns the folder with its certificate, and what a pod with a workload identity has besides the address."""
    folder, tokens = FOLDER / "azure", FOLDER / "tokens"
    tokens.mkdir()
    (tokens / "azure-identity-token").write_text("simulated")
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.Popen([PROGRAM, "simulate", "demo", "--dir", str(folder)], **quiet)
    script = until("the simulated Azure answers", lambda: (folder / "env.sh").exists() and (folder / "env.sh").read_text())
    settings = dict(re.findall(r"^export (\w+)='(.*)'$", script, re.M))
    names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "HOSTSSL_ARM_ENDPOINT", "HOSTSSL_AUTHORITY_HOST")
    token = {"AZURE_FEDERATED_TOKEN_FILE": "/var/run/secrets/azure/azure-identity-token", "HOSTSSL_CA_FILE": "/azure/ca.pem"}
    return folder, {name: settings[name] for name in names} | token


def answers(path: str) -> int:
    """What a probe of the kubelet gets, which asks by the address of the pod."""
    request = urllib.request.Request(f"http://127.0.0.1:8443{path}", headers={"host": "10.244.0.7:8443"})
    try:
        return urllib.request.urlopen(request, timeout=2).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def main() -> None:
    assert os.getpid() == 1, "tests/deploy/run starts this"
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    console_documents, once, always = (rendered(name) for name in ("console", "prober-once", "prober-always"))
    image = unpack(next((FOLDER / "image").glob("*.oci.tar")))
    azure, identity = simulated_azure()
    zones = FOLDER / "zones"
    zones.mkdir()
    (zones / "hostssl-zones.toml").write_text(ZONES)

    state = volume("state", 65532)
    mounts = {"state": state, "zones": zones}
    console = Container(image, console_documents, "hostssl-console", mounts, identity)
    audit = Container(image, console_documents, "hostssl-audit", mounts, identity | {"JOB": "hostssl-audit-29400197"})
    for container in (console, audit):
        container.mounts |= {"/azure": (azure, True), "/var/run/secrets/azure": (FOLDER / "tokens", True)}
    serving = console.starts("console.log")
    probe = console.spec["readinessProbe"]["httpGet"]["path"]
    until("the console is ready, or has ended", lambda: answers(probe) == 200 or serving.poll() is not None)
    assert serving.poll() is None, (FOLDER / "console.log").read_text()
    assert answers(console.spec["livenessProbe"]["httpGet"]["path"]) == 200 and answers("/") == 401

    doctor = console.runs("doctor")
    # One subscription of the simulated Azure cannot be read.
    failed = re.findall(r"^failed +(\S+)", doctor.stdout, re.M)
    assert doctor.returncode == 3 and failed == ["rights-audit"], f"{doctor.stdout}{doctor.stderr}"
    for right in ("(--auth workload-identity)", "/state/hostssl can be written, and not by others"):
        assert right in doctor.stdout, doctor.stdout

    # The guide: a join string by `kubectl exec`, and the prober that uses it.
    enrol = ("zones", "enrol", "hub-weu", "--url", "https://127.0.0.1:8444", "--zones", "/etc/hostssl/hostssl-zones.toml", "-q")
    join = console.runs(*enrol)
    assert join.returncode == 0, join.stderr
    disk = volume("disk", 65532)
    prober = Container(image, once, "hostssl-prober", {"state": disk}, {})
    first = prober.runs(HOSTSSL_JOIN=join.stdout.strip())
    # The names of the simulated servers are none of Azure's: the fence of the manifest leaves them out, and says so.
    assert first.returncode == 4 and "enrolled as p-" in first.stderr and "round done: " in first.stderr, first.stderr
    again = prober.runs()
    assert again.returncode == 4 and "round done: " in again.stderr, f"without the join string: {again.stderr}"
    assert (disk / "prober/prober-key.pem").stat().st_mode & 0o777 == 0o600
    staying = Container(image, always, "hostssl-prober", {"state": disk}, {}).starts("prober.log")
    until("the prober that stays has done a round", lambda: "round done: " in (FOLDER / "prober.log").read_text())
    end(staying, "prober.log")
    (disk / "prober/prober-key.pem").chmod(0o660)
    exposed = prober.runs()
    assert exposed.returncode == 2 and "0600" in exposed.stderr, f"a key that is open to the group: {exposed.stderr}"

    audited, repeated = audit.runs(), audit.runs()
    assert audited.returncode == repeated.returncode == 3, f"{audited.stderr}{repeated.stderr}"
    assert "pg-ledger-prod" in audited.stdout and audited.stdout == repeated.stdout, "the second start shows the same audit"
    listed = console.runs("runs", "-q")
    assert listed.returncode == 0 and listed.stdout.count("hostssl-audit-29400197") == 1, f"{listed.stdout}{listed.stderr}"
    seen = json.loads(console.runs("zones", "probers", "-o", "json", "-q").stdout)["probers"]
    assert len(seen) == 1 and seen[0]["status"] == "active", seen
    revoked = console.runs("zones", "revoke", seen[0]["id"])
    (disk / "prober/prober-key.pem").chmod(0o600)
    refused = prober.runs()
    assert revoked.returncode == 0 and refused.returncode == 1 and "was revoked" in refused.stderr, refused.stderr

    end(serving, "console.log")
    behind_a_proxy(image, mounts, identity, console.mounts)


def end(serving: subprocess.Popen, log: str) -> None:
    """Ends a process as the kubelet does, within the time that the console's manifest gives it."""
    serving.send_signal(signal.SIGTERM)
    assert serving.wait(60) == 0, (FOLDER / log).read_text()


def prober_key() -> Path:
    """The key that the guide makes, as the kubelet mounts a secret for an fsGroup: of root, and open to the group."""
    folder = FOLDER / "prober-key"
    folder.mkdir()
    key = folder / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key], check=True, capture_output=True)
    os.chown(key, 0, 65532)
    key.chmod(0o440)
    return folder


def behind_a_proxy(image: tuple[Path, dict[str, str]], mounts: dict[str, Path], identity: dict[str, str], places: dict) -> None:
    """What the guide adds for a second console, the key for probers, and for a proxy that signs people in: who comes from it is
    believed, and no one else."""
    key = prober_key()
    proxy = "10.30.1.10"
    subprocess.run(["ip", "address", "add", f"{proxy}/32", "dev", "lo"], check=True)
    console = Container(image, list(yaml.safe_load_all((FOLDER / "proxy").read_text())), "hostssl-console", mounts | {"prober-key": key}, identity)
    console.mounts = places | {"/etc/hostssl-prober-key": (key, True)}
    serving = console.starts("proxy.log")
    until("the console is ready, or has ended", lambda: answers("/readyz") == 200 or serving.poll() is not None)
    assert serving.poll() is None, (FOLDER / "proxy.log").read_text()
    for source, status in ((proxy, 200), ("127.0.0.1", 401)):
        asked = http.client.HTTPConnection("127.0.0.1", 8443, source_address=(source, 0), timeout=10)
        asked.request("GET", "/", headers={"host": "hostssl.example", "x-forwarded-user": "ada"})
        reply = asked.getresponse()
        assert reply.status == status and (b"ada" in reply.read()) == (status == 200), f"{source}: {reply.status}"
    end(serving, "proxy.log")


if __name__ == "__main__":
    main()
