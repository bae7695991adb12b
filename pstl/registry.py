"""Plug-ins are found by file name: a name in params.yaml is a module name under pstl.<kind>."""

import ast
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from pstl.errors import UserError, import_plugin, syntax_tree

if TYPE_CHECKING:
    from pstl.contracts import Dataset, DatasetKind, Reader, Recipe

KINDS = (
    "data.datasets",
    "data.kinds",
    "data.readers",
    "data.recipes",
    "backbones",
    "methods",
    "importers",
    "tasks",
)


def names(kind: str) -> list[str]:
    """Names of the plug-ins of one kind, sorted; modules that start with '_' are helpers and not
    listed."""
    folders = list(import_module(f"pstl.{kind}").__path__)
    return list(_names_in(tuple((folder, os.stat(folder).st_mtime_ns) for folder in folders)))


@cache  # the rules ask tens of thousands of times
def _names_in(folders: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    """The same of packages.   folders: each with when it was last changed."""
    modules = iter_modules([folder for folder, _ in folders])
    return tuple(sorted(m.name for m in modules if not m.name.startswith("_")))


def load(kind: str, name: str) -> ModuleType:
    """Import pstl.<kind>.<name>. `kind` is one of KINDS.

    Raises: UserError with the known names if there is no such module.
    """
    available = names(kind)
    if name not in available:
        plugin = kind.split(".")[-1].rstrip("s")
        raise UserError(f"unknown {plugin} {name!r}; known: {', '.join(available)}")
    return import_plugin(f"pstl.{kind}.{name}")


def catalogue() -> str:
    """Every plug-in with the first line of its docstring, one a line below its kind."""
    lines = []
    for kind in KINDS:
        lines.append(kind.split(".")[-1])
        width = max(14, *(len(name) + 2 for name in names(kind)))
        for name in names(kind):
            docstring = (load(kind, name).__doc__ or "").strip()
            lines.append(f"  {name:<{width}}{docstring.splitlines()[0]}")
    return "\n".join(lines) + "\n"


class _Declared:
    """Asks for the data sets that settings declare; pstl.config, which lies above, says how.

    section: name -> what declares it, or None.   every: all names.
    """

    section: Callable[[str], Mapping[str, Any] | None] = staticmethod(lambda name: None)
    every: Callable[[], list[str]] = staticmethod(lambda: [])


def declare_by(
    section: Callable[[str], Mapping[str, Any] | None], every: Callable[[], list[str]]
) -> None:
    """Ask these for data sets that settings declare: what declares a name, and all names."""
    _Declared.section, _Declared.every = staticmethod(section), staticmethod(every)


class DatasetNames(Collection[str]):
    """Every data set there is: modules, and those that settings declare.

    A suite is read only for a name that is no module's and not in params.yaml.
    """

    def __contains__(self, name: object) -> bool:
        return name in names("data.datasets") or is_declared(str(name))

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*names("data.datasets"), *_Declared.every()}))

    def __len__(self) -> int:
        return len(list(iter(self)))


def dataset_names() -> DatasetNames:
    """The names of all data sets."""
    return DatasetNames()


def is_declared(name: str) -> bool:
    """Whether settings declare a data set of this name, and no module is called so."""
    return name not in names("data.datasets") and _Declared.section(name) is not None


def load_dataset(name: str) -> "Dataset":
    """The data set called `name`; free of torch.

    Raises: UserError with the known names, or for one that settings declare wrongly.
    """
    if name in names("data.datasets"):
        dataset: Dataset = load("data.datasets", name).DATASET
        return dataset
    if not is_declared(name):
        raise UserError(f"unknown dataset {name!r}; known: {', '.join(dataset_names())}")
    kind, section = declaration(name)
    return kind.dataset(name, section)


def declaration(name: str) -> "tuple[DatasetKind, Mapping[str, Any]]":
    """What makes a declared data set, and its section."""
    section = _Declared.section(name) or {}
    kind: DatasetKind = load("data.kinds", str(section["kind"])).KIND
    return kind, section


def dataset_modules(name: str) -> list[str]:
    """The modules below pstl that a data set's jobs run."""
    if not is_declared(name):
        return [f"data.datasets.{name}"]
    kind, section = declaration(name)
    return [f"data.kinds.{section['kind']}", *kind.modules()]


def load_recipe(name: str) -> "Recipe":
    """The recipe called `name`; free of torch. Raises: UserError with the known names."""
    recipe: Recipe = load("data.recipes", name).RECIPE
    return recipe


def load_reader(name: str) -> "Reader":
    """The reader called `name`; free of torch. Raises: UserError with the known names."""
    reader: Reader = load("data.readers", name).READER
    return reader


def declared(kind: str, name: str, constant: str, default: Any) -> Any:
    """Value of a module-level constant of pstl.<kind>.<name>, read from its source: the rules ask,
    and must not import torch.

    Returns: `default` where the module does not set it.
    Raises: UserError with the known names if there is no such module.
    """
    for node in source(kind, name):
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == constant for t in node.targets
        ):
            return ast.literal_eval(node.value)
    return default


def keywords(kind: str, name: str, cls: str, attribute: str) -> dict[str, Any]:
    """Keyword arguments of the record that a class of a plug-in sets, as in `wants =
    Wants(labels=True)`.

    Read from the source, as `declared` is.   Returns: {} where the class does not set it itself.
    """
    for node in source(kind, name):
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


class TaskTraits(NamedTuple):
    """What the rules ask of a task without importing it; see pstl.contracts.Task."""

    needs: str
    classifies: bool
    probes: tuple[str, ...]
    one_protocol: bool
    floors: tuple[str, ...]


@cache  # the rules ask for every cell
def task_traits(kind: str) -> TaskTraits:
    """The literal attributes of a task's class, read from its source.

    Raises: UserError with the known names if there is no such task.
    """
    found = literals("tasks", kind, "TASK", "Task")
    return TaskTraits(*(found[name] for name in TaskTraits._fields))


@cache
def has_plain_view(method: str) -> bool:
    """Whether a method feeds its encoder clips as they are; see pstl.contracts.Method."""
    return bool(literals("methods", method, "Method", "Method")["plain_view"])


def literals(kind: str, name: str, exported: str, contract: str) -> dict[str, Any]:
    """Attributes of a plug-in's class that stand as literals in its source, defaults included.

    exported: what the module exports: a class, or an object that is made of one without
    arguments.   contract: class of pstl/contracts.py with the defaults.
    Raises: UserError if the module exports no such thing.
    """
    defaults = _class_literals(_module("contracts"), contract)
    own = _class_literals(source(kind, name), _class_of(source(kind, name), exported))
    if own is None:
        raise UserError(
            f"pstl/{kind.replace('.', '/')}/{name}.py: exports no {exported}; "
            f"end it with '{exported} = YourClass()', a class of the file"
        )
    return {**(defaults or {}), **own}


def _class_of(statements: list[ast.stmt], exported: str) -> str:
    """Name of the class in `TASK = Linear()`; the exported name itself where that is a class."""
    for node in statements:
        targets = node.targets if isinstance(node, ast.Assign) else []
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if exported in names and isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            return ast.unparse(node.value.func)
    return exported


def _class_literals(statements: list[ast.stmt], name: str) -> dict[str, Any] | None:
    """Literal class attributes by name; None if there is no such class."""
    for node in statements:
        if isinstance(node, ast.ClassDef) and node.name == name:
            pairs = [pair for statement in node.body for pair in _literal(statement)]
            return dict(pairs)
    return None


def _literal(statement: ast.stmt) -> list[tuple[str, Any]]:
    """(name, value) of an assignment of a literal."""
    if isinstance(statement, ast.Assign):
        target, value = statement.targets[0], statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target, value = statement.target, statement.value
    else:
        return []
    try:
        return [(target.id, ast.literal_eval(value))] if isinstance(target, ast.Name) else []
    except ValueError:  # no literal
        return []


@cache  # the rules ask hundreds of times
def source(kind: str, name: str) -> list[ast.stmt]:
    """Top-level statements of a plug-in, without importing it.

    Raises: UserError with the known names if there is no such module.
    """
    if name not in names(kind):
        load(kind, name)  # raises, with the known names
    return _module(f"{kind}.{name}")


@cache
def _module(name: str) -> list[ast.stmt]:
    """Top-level statements of a module of this package."""
    return syntax_tree(Path(__file__).parent.joinpath(*name.split(".")).with_suffix(".py")).body
