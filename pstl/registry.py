"""Plug-ins are found by file name: a name in params.yaml is a module name under pstl.<kind>."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from pstl.errors import UserError

KINDS = ("data.datasets", "data.recipes", "backbones", "methods", "tasks")


def names(kind: str) -> list[str]:
    """Names of the plug-ins of one kind, sorted; modules that start with '_' are helpers and not listed."""
    package = import_module(f"pstl.{kind}")
    return sorted(m.name for m in iter_modules(package.__path__) if not m.name.startswith("_"))


def load(kind: str, name: str) -> ModuleType:
    """Import pstl.<kind>.<name>. `kind` is one of KINDS.

    Raises: UserError with the known names if there is no such module.
    """
    known = names(kind)
    if name not in known:
        raise UserError(f"unknown {kind.split('.')[-1].rstrip('s')} {name!r}; known: {', '.join(known)}")
    return import_module(f"pstl.{kind}.{name}")
