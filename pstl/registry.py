"""Plug-ins are found by file name: a name in params.yaml is a module name under pstl.<kind>."""

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from pstl.errors import UserError

KINDS = ("data.datasets", "data.recipes", "backbones", "methods", "importers", "tasks")


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
        raise UserError(
            f"unknown {kind.split('.')[-1].rstrip('s')} {name!r}; known: {', '.join(known)}"
        )
    return import_module(f"pstl.{kind}.{name}")


def declared(kind: str, name: str, constant: str, default: Any) -> Any:
    """Value of a module-level constant of pstl.<kind>.<name>, read from its source: the rules ask, and must not import torch.

    Returns: `default` where the module does not set it.   Raises: UserError with the known names if there is no such module.
    """
    for node in _source(kind, name):
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == constant for t in node.targets
        ):
            return ast.literal_eval(node.value)
    return default


def defines(kind: str, name: str, function: str) -> bool:
    """Whether pstl.<kind>.<name> has a function of this name, its own or imported; read from its source, as `declared` is."""
    source = _source(kind, name)
    imported = (
        alias.asname or alias.name
        for node in source
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    )
    return function in imported or any(
        isinstance(node, ast.FunctionDef) and node.name == function for node in source
    )


def keywords(kind: str, name: str, cls: str, attribute: str) -> dict[str, Any]:
    """Keyword arguments of the record that a class of a plug-in sets, as in `wants = Wants(labels=True)`.

    Read from the source, as `declared` is.   Returns: {} where the class does not set it itself.
    """
    for node in _source(kind, name):
        if isinstance(node, ast.ClassDef) and node.name == cls:
            for statement in node.body:
                call = _assigned(statement, attribute)
                if isinstance(call, ast.Call):
                    return {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    return {}


def _assigned(statement: ast.stmt, name: str) -> ast.expr | None:
    """What a statement gives to `name`, if that is what it does."""
    if not isinstance(statement, ast.Assign):
        return None
    names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
    return statement.value if name in names else None


@cache  # the rules ask hundreds of times
def _source(kind: str, name: str) -> list[ast.stmt]:
    """Top-level statements of a plug-in, without importing it."""
    if name not in names(kind):
        load(kind, name)  # raises, with the known names
    source = Path(import_module(f"pstl.{kind}").__path__[0]) / f"{name}.py"
    return ast.parse(source.read_bytes()).body
