"""Numbers of a body of code, each with the places that make it what it is."""

import ast
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.source import Function, Module
from benchmarks.unused import unused

FILE, FUNCTION, COLUMNS, PARAMETERS = 300, 60, 100, 6
COMMANDS = ("pstl", "commands")  # where the verbs are, a function each
FEWEST = 20  # statements of a file that is listed by its density
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
ARRAY = re.compile(r"\b(Tensor|ndarray)\b")
SHAPE = re.compile(r"\([^\s()]+,[^()]*\)|\bsame shape\b|\bscalar\b", re.IGNORECASE)


class Offender(NamedTuple):
    """What a figure is made of.   size: its part; the largest are shown first."""

    size: float
    where: str


class Count(NamedTuple):
    """One figure, and what it is made of."""

    value: float
    offenders: list[Offender]


# ---------------------------------------------------------------------------------------- sizes


def longest_file(code: list[Module]) -> Count:
    sizes = [Offender(len(module.lines), str(module.path)) for module in code]
    return Count(max(sizes).size, [each for each in sizes if each.size > FILE])


def longest_function(code: list[Module]) -> Count:
    sizes = []
    for module, function in functions(code):
        assert function.end_lineno is not None
        lines = function.end_lineno - function.lineno + 1
        sizes.append(Offender(lines, f"{module.at(function)} {function.name}"))
    return Count(max(sizes).size, [each for each in sizes if each.size > FUNCTION])


def package_lines(code: list[Module]) -> Count:
    sizes: dict[str, int] = {}
    for module in code:
        folder = "/".join(module.package[:2])
        sizes[folder] = sizes.get(folder, 0) + len(module.lines)
    return total([Offender(size, folder) for folder, size in sizes.items()])


def long_lines(code: list[Module]) -> Count:
    offenders = []
    for module in code:
        count = sum(len(line) > COLUMNS for line in module.lines)
        offenders.append(Offender(count, str(module.path)))
    return total(offenders)


def many_parameters(code: list[Module]) -> Count:
    offenders = []
    for module, function in functions(code):
        names = parameters(function)
        if len(names) > PARAMETERS and not is_command(module, function):
            offenders.append(Offender(len(names), f"{module.at(function)} {function.name}"))
    return Count(len(offenders), offenders)


def parameters(function: Function) -> list[str]:
    """Names that a caller may give, without self and cls."""
    arguments = function.args
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    names = [each.arg for each in every]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def is_command(module: Module, function: Function) -> bool:
    """Whether it is a verb of the command line, whose parameters are its flags."""
    return module.package == COMMANDS and not function.name.startswith("_")


# --------------------------------------------------------------------------------------- joints


def hooks(code: list[Module]) -> Count:
    where = []
    for module, call in of_type(code, ast.Call):
        if is_hook(call):
            where.append(f"{module.at(call)} {ast.unparse(call)}")
    return listed(where)


def is_hook(call: ast.Call) -> bool:
    """hasattr(), or getattr() with a default, of anything but Python's own modules."""
    if not isinstance(call.func, ast.Name) or not call.args:
        return False
    asked = call.args[0]
    if isinstance(asked, ast.Name) and asked.id in sys.stdlib_module_names:
        return False
    has_default = call.func.id == "getattr" and len(call.args) == 3
    return call.func.id == "hasattr" or has_default


def foreign_privates(code: list[Module]) -> Count:
    where = []
    for module in code:
        names = {name for name in imported(module) if is_foreign(name, module)}
        where += [f"{module.path} imports {name}" for name in sorted(names)]
    return listed(where)


def imported(module: Module) -> Iterator[str]:
    """Dotted names of what is imported from the package: modules, and values in them."""
    for _, node in of_type([module], ast.ImportFrom):
        if node.module and node.module.startswith("pstl"):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_foreign(name: str, module: Module) -> bool:
    """Whether `name` is a private module that is not in the module's folder or in one above it."""
    *folders, last = name.split(".")
    is_private = last.startswith("_") and last.islower() and not last.startswith("__")
    return is_private and tuple(folders) != module.package[: len(folders)]


def unused_definitions(root: Path) -> Count:
    where = []
    for definition in unused(root):
        name = definition.key.rpartition(".")[2]
        where.append(f"{definition.module.at(definition.node)} {name}")
    return listed(where)


def common_rules(root: Path) -> Count:
    path = root / "workflow/rules/common.smk"
    return Count(len(path.read_text().splitlines()) if path.exists() else 0, [])


def lambdas_in_rules(root: Path) -> Count:
    offenders = []
    for path in sorted((root / "workflow").rglob("*.smk")):
        count = len(re.findall(r"\blambda\b", path.read_text()))
        offenders.append(Offender(count, str(path.relative_to(root))))
    return total(offenders)


def astray_citations(root: Path) -> Count:
    """As tests/test_specs.py reads them; not a number where a checkout has no such test."""
    sys.path.insert(0, str(root / "tests"))
    try:
        import test_specs as specs
    except ImportError:
        return Count(float("nan"), [])
    pages = {}
    for name, page in specs.PAGES.items():
        pages[name] = specs.sections((specs.SPECS / page).read_text())
    where = []
    for path in specs.source_files():
        if path.name == "test_specs.py":
            continue
        for name, number in specs.citations(path.read_text()):
            if number not in pages.get(name, set()):
                where.append(f"{path.relative_to(root)}: {name or 'no page'} {number}")
    return listed(where)


# -------------------------------------------------------------------------------------- language


def comprehensions(code: list[Module]) -> Count:
    return per_thousand(code, [module for module, _ in of_type(code, *COMPREHENSIONS)])


def nested_comprehensions(code: list[Module]) -> Count:
    where = []
    for module, node in of_type(code, *COMPREHENSIONS):
        parts = [part for part in ast.walk(node) if isinstance(part, COMPREHENSIONS)]
        if len(parts) > 1 or len(node.generators) > 1:
            where.append(module.at(node))
    return Count(1000 * len(where) / lines_with_text(code), listed(where).offenders)


def conditional_expressions(code: list[Module]) -> Count:
    return per_thousand(code, [module for module, _ in of_type(code, ast.IfExp)])


def nodes_per_statement(code: list[Module]) -> Count:
    all_nodes = all_statements = 0
    offenders = []
    for module in code:
        nodes = list(ast.walk(module.tree))
        statements = sum(isinstance(node, ast.stmt) for node in nodes)
        all_nodes, all_statements = all_nodes + len(nodes), all_statements + statements
        if statements >= FEWEST:
            offenders.append(Offender(round(len(nodes) / statements, 1), str(module.path)))
    return Count(all_nodes / all_statements, offenders)


def documented(code: list[Module]) -> Count:
    return share(public(code), lambda function: ast.get_docstring(function) is not None)


def with_shapes(code: list[Module]) -> Count:
    of_arrays = [each for each in public(code) if ARRAY.search(signature(each[1]))]
    return share(of_arrays, states_shape)


def signature(function: Function) -> str:
    """The parameters of a function and what it returns, with their types."""
    returned = ast.unparse(function.returns) if function.returns else ""
    return f"{ast.unparse(function.args)} {returned}"


def states_shape(function: Function) -> bool:
    return SHAPE.search(ast.get_docstring(function) or "") is not None


# ------------------------------------------------------------------------------------ arithmetic


def functions(code: list[Module]) -> Iterator[tuple[Module, Function]]:
    """Every function and method, nested ones too."""
    return of_type(code, ast.FunctionDef, ast.AsyncFunctionDef)


def public(code: list[Module]) -> list[tuple[Module, Function]]:
    """Functions and methods whose names have no leading underscore."""
    return [each for each in functions(code) if not each[1].name.startswith("_")]


def of_type(code: list[Module], *kinds: type[ast.AST]) -> Iterator[tuple[Module, Any]]:
    for module in code:
        for node in ast.walk(module.tree):
            if isinstance(node, kinds):
                yield module, node


def lines_with_text(code: list[Module]) -> int:
    """Lines that are not blank; comments and docstrings count."""
    return sum(len([line for line in module.lines if line.strip()]) for module in code)


def listed(where: list[str]) -> Count:
    """As many as there are places."""
    return Count(len(where), [Offender(1, place) for place in where])


def total(offenders: list[Offender]) -> Count:
    return Count(sum(each.size for each in offenders), [each for each in offenders if each.size])


def per_thousand(code: list[Module], hits: Sequence[Module]) -> Count:
    """Hits per 1,000 lines with text, and the files with the most."""
    sizes: dict[str, int] = {}
    for module in hits:
        sizes[str(module.path)] = sizes.get(str(module.path), 0) + 1
    offenders = [Offender(size, path) for path, size in sizes.items()]
    return Count(1000 * len(hits) / lines_with_text(code), offenders)


def share(chosen: list[tuple[Module, Function]], holds: Callable[[Function], bool]) -> Count:
    """For how many percent of some functions something holds; the files with the most others."""
    sizes: dict[str, int] = {}
    for module, function in chosen:
        if not holds(function):
            sizes[str(module.path)] = sizes.get(str(module.path), 0) + 1
    missing = [Offender(size, path) for path, size in sizes.items()]
    return Count(100 - 100 * sum(sizes.values()) / len(chosen), missing)
