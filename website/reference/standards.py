"""The list of controls, as the program prints it. The page of each is in docs/controls."""

import json
import subprocess
from pathlib import Path

from .text import code, escaped, table


def page(program: Path) -> str:
    done = subprocess.run([program, "controls", "-o", "json"], check=True, capture_output=True, text=True)
    controls = json.loads(done.stdout)
    rows = [[f"[`{each['id']}`](../docs/controls/{each['id']}.md)", each["severity"], escaped(each["title"])] for each in controls]
    text = "# Controls\n\n" + table(["control", "severity", "passes when"], rows)
    text += "\n## Standards\n\nWhich requirement of a standard each control answers, and on what basis the page of the control explains.\n\n"
    rows = [
        [escaped(each["standard"]), escaped(each["version"]), escaped(", ".join(each["requirements"])), code(control["id"]), code(each["basis"])]
        for control in controls
        for each in control["mappings"]
    ]
    return text + table(["standard", "version", "requirement", "control", "basis"], sorted(rows))
