"""The checkout around this package, which has what is not installed with it."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from pstl.errors import UserError

ROOT = Path(__file__).resolve().parents[1]


def benchmarks(name: str) -> ModuleType:
    """A module of the folder benchmarks/ beside the package.

    Raises: UserError if the package was installed without its checkout.
    """
    if not (ROOT / "benchmarks" / f"{name}.py").is_file():
        remedy = "run this in a checkout of the project, which has it"
        raise UserError(f"{ROOT}: no benchmarks beside the installed package; {remedy}")
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return import_module(f"benchmarks.{name}")
