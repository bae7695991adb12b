"""Functions and classes of the package that nothing but tests uses."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.source import Module, modules

WORD = re.compile(r"[A-Za-z_]\w*")
# Called by Python, torch, pydantic, logging or the command line, under these names.
CALLED_FROM_OUTSIDE = {"forward", "backward", "main"}
# Folders of plug-ins, which are loaded by name: there an attribute of anything may be meant.
PLUG_INS = ("backbones", "data.datasets", "data.recipes", "importers", "methods", "tasks")
# Decorators that leave a function to be called by who names it; any other hands it to somebody.
PASSIVE = {"property", "staticmethod", "classmethod", "cached_property", "contextmanager"}
PASSIVE |= {"abstractmethod", "no_grad", "inference_mode", "cache", "lru_cache", "dataclass"}
PASSIVE |= {"torch", "maxsize", "frozen", "functools", "eq", "abc"}


# Bases from other libraries that call no method by its name.
PLAIN_BASES = {"NamedTuple", "ABC", "Generic", "Protocol", "BaseModel"}
BY_NAME = "by name"  # stands for any module, where one is imported by name


class Definition(NamedTuple):
    """A function, method or class.   key: "pstl.data.store.write_array", or ".name" of a method."""

    key: str
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    module: Module


def unused(root: Path) -> list[Definition]:
    """Definitions that neither the package nor workflow/ nor benchmarks/ uses, tests aside.

    Functions and classes of modules are followed through imports. Methods, what plug-ins have, and
    whatever a module that imports by name may mean, count as used where something has an attribute
    of their name. What only unused definitions use is unused as well.
    """
    package = modules(root, "pstl")
    definitions = [each for module in package for each in definitions_of(module)]
    elsewhere: set[str] = set()
    for module in modules(root, "workflow", "benchmarks"):
        elsewhere |= uses(module, set())
    others = words_of_rules_and_templates(root)
    definitions = [each for each in definitions if each.node.name not in others]
    dead: list[Definition] = []
    while True:
        ignored = {id(each.node) for each in dead}
        used = elsewhere.union(*(uses(module, ignored) for module in package))
        remaining = [each for each in definitions if not is_used(each, used)]
        if len(remaining) == len(dead):
            return remaining
        dead = remaining


def words_of_rules_and_templates(root: Path) -> set[str]:
    """Every word of the workflow's rules and of pages' templates, which are not Python."""
    paths = [*(root / "workflow").rglob("*.smk"), *(root / "pstl").rglob("*.html")]
    texts = [path.read_text() for path in [*paths, root / "Snakefile"] if path.exists()]
    return {word for text in texts for word in WORD.findall(text)}


def is_used(definition: Definition, used: set[str]) -> bool:
    module, _, name = definition.key.rpartition(".")
    if definition.key in used:
        return True
    is_plug_in = module.startswith(tuple(f"pstl.{folder}." for folder in PLUG_INS))
    return f"{BY_NAME}.{name}" in used or (is_plug_in and f".{name}" in used)


def definitions_of(module: Module) -> Iterator[Definition]:
    """Functions, methods and classes that somebody has to name to use them."""
    outer = dotted(module)
    overriding = overrides(module)
    for node in ast.walk(module.tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if node in overriding:
            continue
        is_special = node.name.startswith("__") and node.name.endswith("__")
        if is_special or node.name in CALLED_FROM_OUTSIDE or is_registered(node):
            continue
        top_level = node in module.tree.body
        yield Definition(f"{outer if top_level else ''}.{node.name}", node, module)


def overrides(module: Module) -> set[ast.stmt]:
    """Methods of classes whose bases come from other libraries, which may call them."""
    foreign = {name for name, source in imports(module.tree, set()) if source[:5] != "pstl."}
    methods: set[ast.stmt] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef):
            roots = {part.id for base in node.bases for part in names_in(base)}
            if roots & (foreign - PLAIN_BASES):
                methods.update(node.body)
    return methods


def names_in(tree: ast.AST) -> list[ast.Name]:
    """Every name in an expression."""
    return [part for part in ast.walk(tree) if isinstance(part, ast.Name)]


def is_registered(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """Whether a decorator hands it to somebody, as pydantic's validators and commands are."""
    for decorator in node.decorator_list:
        names = [part.id for part in ast.walk(decorator) if isinstance(part, ast.Name)]
        names += [part.attr for part in ast.walk(decorator) if isinstance(part, ast.Attribute)]
        if not PASSIVE.issuperset(names):
            return True
    return False


def dotted(module: Module) -> str:
    """Its name in an import."""
    parts = module.path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def uses(module: Module, ignored: set[int]) -> set[str]:
    """Keys of what a module uses outside of the definitions `ignored`."""
    outer = dotted(module)
    imported = list(imports(module.tree, ignored))
    keys = {name for _, name in imported}
    imports_by_name = "importlib.import_module" in keys
    for node in visible(module.tree, ignored):
        if isinstance(node, ast.Name):
            keys |= {f"{outer}.{node.id}", f".{node.id}"}
        elif isinstance(node, ast.Attribute):
            keys.add(f".{node.attr}")
            if imports_by_name:
                keys.add(f"{BY_NAME}.{node.attr}")
            if isinstance(node.value, ast.Name):
                local = node.value.id
                keys |= {f"{name}.{node.attr}" for alias, name in imported if alias == local}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            keys.add(f".{node.value}")
    return keys


def imports(tree: ast.AST, ignored: set[int]) -> Iterator[tuple[str, str]]:
    """Local name and dotted name of everything that is imported."""
    for node in visible(tree, ignored):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], alias.name


def visible(tree: ast.AST, ignored: set[int]) -> Iterator[ast.AST]:
    """All nodes but those inside the definitions `ignored`."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [child for child in ast.iter_child_nodes(node) if id(child) not in ignored]
