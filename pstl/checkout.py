"""What lies around this package: settings, suites and rules, and what only a checkout has.

An installed package carries the files that a project is made of in a folder of its own (setup.py
says which); in a checkout they are those at its root.
"""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from pstl.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
CARRIED = Path(__file__).resolve().parent / "project"


def project() -> Path:
    """Folder with params.yaml, suites/, Snakefile, workflow/ and profiles/ of this package."""
    return CARRIED if CARRIED.is_dir() else ROOT


def is_installed() -> bool:
    """Whether the package lies without its checkout."""
    return CARRIED.is_dir()


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
