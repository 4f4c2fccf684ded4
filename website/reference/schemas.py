"""A page for each JSON format, out of its schema."""

import json
from pathlib import Path

from .text import code, escaped, table


def write(schemas: Path, folder: Path) -> None:
    pages = folder / "schemas"
    pages.mkdir()
    rows, names = [], []
    for file in sorted(schemas.glob("*.schema.json")):
        name = file.name.removesuffix(".schema.json")
        schema = json.loads(file.read_text())
        (pages / f"{name}.md").write_text(page(name, file.name, schema))
        rows.append([f"[{name}]({name}.md)", escaped(schema.get("description", "").split("\n")[0])])
        names.append(name)
    assert names, schemas
    text = "# JSON formats\n\nEach version is frozen: members are added, never changed or removed, so a reader ignores those that it does not know.\n\n"
    tree = "\n".join(["```{toctree}", ":hidden:", "", *names, "```", ""])
    (pages / "index.md").write_text(f"{text}{table(['format', 'content'], rows)}\n{tree}")


def page(name: str, file: str, schema: dict) -> str:
    text = f"# {name}\n\n{paragraph(schema)}The schema: [{file}](../../docs/schemas/{file}).\n\n{members(schema)}"
    for title, definition in sorted(schema.get("$defs", {}).items()):
        text += f"## {title}\n\n{paragraph(definition)}{members(definition)}"
    return text


def paragraph(schema: dict) -> str:
    return f"{escaped(' '.join(schema['description'].split()))}\n\n" if schema.get("description") else ""


def members(schema: dict) -> str:
    """A table of the members, or the alternatives."""
    text = ""
    if properties := schema.get("properties"):
        required = set(schema.get("required", []))
        rows = [
            [code(name), kind(each), "" if name in required else "optional", escaped(" ".join(each.get("description", "").split()))]
            for name, each in properties.items()
        ]
        text += table(["member", "type", "", "meaning"], rows) + "\n"
    for word in ("oneOf", "anyOf", "enum"):
        if alternatives := schema.get(word):
            text += "".join(f"- {alternative(each)}\n" for each in alternatives) + "\n"
    if not text:
        text = f"{kind(schema)}\n\n"
    return text


def alternative(each) -> str:
    if not isinstance(each, dict):
        return code(json.dumps(each))
    about = escaped(" ".join(each.get("description", "").split()))
    if inner := each.get("properties"):
        named = ", ".join(f"{code(name)} ({kind(value)})" for name, value in inner.items())
        return f"an object with {named}" + (f": {about}" if about else "")
    return kind(each) + (f": {about}" if about else "")


def kind(schema) -> str:
    """The type of a value in words; a definition is a link to its section."""
    if schema is True or schema == {}:
        return "any value"
    if reference := schema.get("$ref"):
        name = reference.removeprefix("#/$defs/")
        return f"[{name}](#{name.lower()})"
    if "const" in schema:
        return code(json.dumps(schema["const"]))
    if values := schema.get("enum"):
        return " or ".join(code(json.dumps(value)) for value in values)
    for word in ("anyOf", "oneOf", "allOf"):
        if alternatives := schema.get(word):
            return " or ".join(kind(each) for each in alternatives)
    types = schema.get("type", "any value")
    types = [types] if isinstance(types, str) else types
    return " or ".join(one(each, schema) for each in types)


def one(word: str, schema: dict) -> str:
    if word == "array":
        return f"array of {kind(schema.get('items', {}))}"
    if word == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object whose members are {kind(schema['additionalProperties'])}"
    return word
