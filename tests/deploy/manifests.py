"""What the schemas of Kubernetes do not ask of the manifests in deploy/kubernetes: manifests.py FOLDER_OF_RENDERED_FILES"""

import copy
import sys
from pathlib import Path

import yaml

CONTAINER = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
POD = {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532, "fsGroupChangePolicy": "OnRootMismatch"}


def pod_of(document: dict) -> dict | None:
    """The template of a document's pods."""
    spec = document.get("spec", {})
    if document["kind"] == "CronJob":
        return spec["jobTemplate"]["spec"]["template"]
    return spec["template"] if document["kind"] == "Deployment" else None


def check_pod(document: dict, pod: dict) -> None:
    spec, name = pod["spec"], document["metadata"]["name"]
    assert spec["automountServiceAccountToken"] is False, f"{name} has a token for Kubernetes"
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
    for key, value in POD.items():
        assert spec["securityContext"].get(key) == value, f"{name}: {key}"
    for container in spec["containers"]:
        assert container["securityContext"] == CONTAINER, name
        assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]["cpu"], name
        assert any(argument in ("serve", "audit", "prober") for argument in container["args"]), name
    # The state is of one process or of one node.
    if document["kind"] == "Deployment":
        assert document["spec"]["replicas"] == 1 and document["spec"]["strategy"] == {"type": "Recreate"}, name
    else:
        assert document["spec"]["concurrencyPolicy"] == "Forbid", name
    if name == "hostssl-audit":
        terms = spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert terms[0]["topologyKey"] == "kubernetes.io/hostname", "the audit is not where the volume is"
        run_key = next(variable for variable in spec["containers"][0]["env"] if variable["name"] == "JOB")
        assert "job-name" in run_key["valueFrom"]["fieldRef"]["fieldPath"], run_key
        assert "--run-key=$(JOB)" in spec["containers"][0]["args"], name


def selects(policy: dict, labels: dict) -> bool:
    wanted = policy["spec"]["podSelector"].get("matchLabels", {})
    return all(labels.get(name) == value for name, value in wanted.items())


def check_policies(documents: list[dict], pod: dict) -> None:
    """Each pod has a policy for both directions, no rule is without ports, and the open internet is for HTTPS alone."""
    policies = [document for document in documents if document["kind"] == "NetworkPolicy" and selects(document, pod["metadata"]["labels"])]
    kinds = {kind for policy in policies for kind in policy["spec"]["policyTypes"]}
    assert kinds == {"Ingress", "Egress"}, f"nothing holds {pod['metadata']['labels']}"
    reached = set()
    for policy in policies:
        for rule in policy["spec"].get("egress", []):
            ports = {port["port"] for port in rule["ports"]}
            reached |= ports
            for peer in rule["to"]:
                if peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0":
                    assert ports == {443}, ports
        for rule in policy["spec"].get("ingress", []):
            assert rule["ports"] and rule["from"], policy
    assert {53, 443, 5432, 6432} <= reached, reached


def check_references(documents: list[dict], pod: dict) -> None:
    """What a pod names is there: volumes, and who runs it. A join string is a secret that is made by hand."""
    there = {(document["kind"], document["metadata"]["name"]) for document in documents}
    spec = pod["spec"]
    if "serviceAccountName" in spec:
        assert ("ServiceAccount", spec["serviceAccountName"]) in there
    for volume in spec["volumes"]:
        claim, config = volume.get("persistentVolumeClaim"), volume.get("configMap")
        wanted = ("PersistentVolumeClaim", claim["claimName"]) if claim else ("ConfigMap", config["name"])
        assert wanted in there, wanted


def check(documents: list[dict]) -> int:
    pods = [(document, pod) for document in documents if (pod := pod_of(document))]
    for document, pod in pods:
        check_pod(document, pod)
        check_policies(documents, pod)
        check_references(documents, pod)
    return len(pods)


def seeded(documents: list[dict]) -> None:
    """What passed has to fail where a manifest is wrong."""

    def first(changed: list[dict]) -> dict:
        return next(pod for document in changed if (pod := pod_of(document)))["spec"]

    def policy(changed: list[dict]) -> dict:
        return next(document for document in changed if document["kind"] == "NetworkPolicy")["spec"]

    faults = {
        "a root": lambda changed: first(changed)["securityContext"].update(runAsNonRoot=False),
        "a token": lambda changed: first(changed).pop("automountServiceAccountToken"),
        "a file system": lambda changed: first(changed)["containers"][0]["securityContext"].update(readOnlyRootFilesystem=False),
        "no bounds": lambda changed: first(changed)["containers"][0]["resources"].pop("limits"),
        "another volume": lambda changed: first(changed)["volumes"][0]["persistentVolumeClaim"].update(claimName="none"),
        "no policy": lambda changed: policy(changed)["policyTypes"].remove("Egress"),
        "no servers": lambda changed: policy(changed)["egress"].pop(),
    }
    for what, breaks in faults.items():
        changed = copy.deepcopy(documents)
        breaks(changed)
        try:
            check(changed)
        except (AssertionError, KeyError):
            continue
        raise AssertionError(f"a manifest with {what} passes")


def main() -> None:
    files = sorted(Path(sys.argv[1]).glob("*.yaml"))
    rendered = {file.stem: list(yaml.safe_load_all(file.read_text())) for file in files}
    pods = {name: check(documents) for name, documents in rendered.items()}
    assert pods == {"console": 2, "example-console": 2, "example-hub-eus": 1, "example-hub-weu": 1, "prober-always": 1, "prober-once": 1}, pods
    for name in ("example-console", "example-hub-eus", "example-hub-weu"):
        images = {container["image"] for document in rendered[name] if (pod := pod_of(document)) for container in pod["spec"]["containers"]}
        assert images == {"registry.example/hostssl:0.1.0"}, images
        assert "192.0.2." not in str(rendered[name]), f"{name} leaves out an address"
    # The fence of each prober and its network policy name the same subnets, and no other.
    for name, net in (("example-hub-weu", "10.20"), ("example-hub-eus", "10.21")):
        text = str(rendered[name])
        assert f"--allow-net={net}.4.0/24,{net}.5.0/24" in text and text.count(f"{net}.4.0/24") == 2, name
        assert "10.10.0.100/32" in text, name
    assert "10.30.0.0/24" in str(rendered["example-console"])
    for documents in rendered.values():
        seeded(documents)


if __name__ == "__main__":
    main()
