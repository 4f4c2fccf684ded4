"""The standards that the controls answer, as the program prints them."""

import json
import subprocess
from pathlib import Path

from .text import code, escaped, table


def page(program: Path) -> str:
    done = subprocess.run([program, "controls", "-o", "json"], check=True, capture_output=True, text=True)
    controls = json.loads(done.stdout)
    text = "# Standards\n\nWhich control answers which requirement of a standard. On what basis, the page of the control explains.\n\n"
    rows = [
        [escaped(each["standard"]), escaped(each["version"]), escaped(", ".join(each["requirements"])), f"[`{control['id']}`](../docs/controls/{control['id']}.md)", code(each["basis"])]
        for control in controls
        for each in control["mappings"]
    ]
    return text + table(["standard", "version", "requirement", "control", "basis"], sorted(rows))
