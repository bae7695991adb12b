"""A measurement in a process of its own, so that peak memory and what is loaded are its alone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# Measures with the JSON of a list of arguments, and prints the JSON of what comes of it.
CODE = """
import importlib, json, sys
root, module, arguments = sys.argv[1:]
sys.path.insert(0, root)
print(json.dumps(importlib.import_module(module).measure(*json.loads(arguments))))
"""


def measured_apart(module: str, arguments: list[Any]) -> subprocess.CompletedProcess[str]:
    """Call `measure(*arguments)` of a module of this folder.

    Returns: the process when it has ended; the last line of its standard output is JSON.
    """
    words = [str(ROOT), module, json.dumps(arguments)]
    command = [sys.executable, "-c", CODE, *words]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True)
