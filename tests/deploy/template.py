"""Holds a Bicep template of Container Apps to the shapes that the Azure SDK sends: template.py FILE

No compiler of Bicep is in a package: a parser reads the file, and the typed dictionaries of the SDK say which members and which
words there are. What resources of other kinds hold is read and not compared."""

import copy
import inspect
import sys
import typing
from pathlib import Path

import azure.mgmt.appcontainers.models as models
import azure.mgmt.appcontainers.types as shapes
from azure.mgmt.appcontainers._configuration import ContainerAppsAPIClientConfiguration
from pycep import BicepParser

SHAPES = {"Microsoft.App/jobs": shapes.Job, "Microsoft.App/managedEnvironments/storages": shapes.ManagedEnvironmentStorage}
# Of Bicep itself.
OUTER = {"name", "parent"}


class Nobody:
    """The settings of a client that asks nothing need someone who could sign in."""

    def get_token(self, *_, **__):
        raise NotImplementedError


def holds(value, kind, where: str) -> None:
    """Fails where a value does not have the shape `kind`."""
    if isinstance(kind, (str, typing.ForwardRef)):
        name = kind if isinstance(kind, str) else kind.__forward_arg__
        kind = getattr(shapes, name, None) or getattr(models, name)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is not None and str(origin).endswith("Required"):
        return holds(value, arguments[0], where)
    if isinstance(value, dict) and "operator" in value:
        operator = value["operator"]
        if operator["type"] == "conditional":
            holds(operator["operands"]["true_value"], kind, where)
            holds(operator["operands"]["false_value"], kind, where)
        return None  # What it is, Azure says when it runs.
    if isinstance(value, dict) and "function" in value:
        return None
    if origin is list:
        assert isinstance(value, list), f"{where} is no list"
        for at, part in enumerate(value):
            holds(part, arguments[0], f"{where}[{at}]")
    elif typing.is_typeddict(kind) or hasattr(kind, "__required_keys__"):
        members = members_of(kind)
        assert isinstance(value, dict), f"{where} is no object"
        unknown = set(value) - set(members)
        assert not unknown, f"{where} has no member {sorted(unknown)}: {sorted(members)}"
        # Not __required_keys__: classes that add to others have more of these than the service.
        missing = {name for name, shape in members.items() if typing.get_origin(shape) is typing.Required} - set(value)
        assert not missing, f"{where} needs {sorted(missing)}"
        for name, part in value.items():
            holds(part, members[name], f"{where}.{name}")
    elif origin is typing.Union:
        words = next((enum for enum in map(enumeration, arguments) if enum), None)
        assert words is None or value in words, f"{where} is {value}, and not one of {sorted(words)}"
    elif kind in (int, float, bool):
        assert isinstance(value, kind), f"{where} is {value}, and not {kind.__name__}"


def enumeration(kind) -> set[str] | None:
    name = kind.__forward_arg__ if isinstance(kind, typing.ForwardRef) else kind if isinstance(kind, str) else None
    found = getattr(models, name, None) if name else None
    return {word.value for word in found} if found else None


def check(template: dict) -> None:
    known = ContainerAppsAPIClientConfiguration(credential=Nobody(), subscription_id="none").api_version
    for name, resource in template["resources"].items():
        if not resource["type"].startswith("Microsoft.App/"):
            continue
        assert resource["api_version"] == known, f"{name}: the shapes are of {known}"
        if not resource["existing"]:
            sent = {key: value for key, value in resource["config"].items() if key not in OUTER}
            holds(sent, SHAPES[resource["type"]], name)
    job = template["resources"]["job"]["config"]["properties"]
    assert job["template"]["containers"][0]["args"][:2] == ["prober", "--once"], job
    assert job["configuration"]["scheduleTriggerConfig"]["parallelism"] == 1, "the directory is for one prober"
    assert {"type": "secure"} in template["parameters"]["joinString"]["decorators"], "the join string would be in the log of deployments"
    mount = job["template"]["volumes"][0]["mountOptions"]
    assert "uid=65532" in mount and "file_mode=0600" in mount and "dir_mode=0700" in mount, mount


def members_of(kind) -> dict:
    return {name: shape for base in reversed(inspect.getmro(kind)) for name, shape in getattr(base, "__annotations__", {}).items()}


def seeded(template: dict) -> None:
    """What passed has to fail where the template is wrong."""

    def job(changed: dict) -> dict:
        return changed["resources"]["job"]["config"]["properties"]

    faults = {
        "a misspelt member": lambda changed: job(changed)["configuration"].update(replicaRetries=1),
        "an unknown word": lambda changed: job(changed)["configuration"].update(triggerType="Scheduled"),
        "a member of another kind": lambda changed: job(changed)["template"].update(scale={}),
        "a text for a number": lambda changed: job(changed)["configuration"].update(replicaRetryLimit="0"),
        "a volume of another kind": lambda changed: job(changed)["template"]["volumes"][0].update(storageType="Disk"),
        "a missing member": lambda changed: job(changed)["configuration"].pop("triggerType"),
        "a misspelt variable": lambda changed: job(changed)["template"]["containers"][0]["volumeMounts"][0].update(path="/x"),
    }
    for what, breaks in faults.items():
        changed = copy.deepcopy(template)
        breaks(changed)
        try:
            check(changed)
        except AssertionError:
            continue
        raise AssertionError(f"a template with {what} passes")


def main() -> None:
    template = BicepParser().parse(text=Path(sys.argv[1]).read_text())
    check(template)
    seeded(template)


if __name__ == "__main__":
    main()
