"""Write the golden files anew from the code as it is: python tests/golden/make.py [NAME ...]

Only where results are meant to change. What a rebuilt interface asks is a change of the calls in
golden_*.py; the numbers then stay.
"""

import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: sums in one order

import golden_data
import golden_recipes
import golden_rows
import golden_steps

FOLDER = Path(__file__).parent
MADE: dict[str, Callable[[], dict[str, Any]]] = {
    "steps": golden_steps.made,
    "recipes": golden_recipes.made,
    "datasets": golden_data.made,
    "rows": golden_rows.made,
}


def read(name: str) -> dict[str, Any]:
    """A golden file as it is kept."""
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return content


def write(name: str) -> None:
    text = json.dumps(MADE[name](), indent=0, sort_keys=True)
    (FOLDER / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    logging.disable()
    for chosen in sys.argv[1:] or MADE:
        write(chosen)
