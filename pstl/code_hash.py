"""Which code a job runs, as one hash: an edit runs again the jobs that it changes and no others.

Free of torch; nothing is imported, sources are read. What counts of a file is its syntax tree
without docstrings: comments, docstrings and formatting are no code.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pstl.errors import UserError, syntax_tree

PACKAGE = Path(__file__).parent
# Fields of syntax nodes that change nothing: a name's use follows from its place, and u"" is "".
UNIMPORTANT = {"ctx", "kind", "type_comment"}
FILE_NAME = re.compile(r"\w[\w./-]{0,99}")  # what may be a path below a module's own folder


class Source(NamedTuple):
    """One module. code: what it executes, normalised; empty if it executes nothing.

    imports: modules of this package.
    data: files and folders beside the module that it names in quotes.
    """

    code: str
    imports: tuple[str, ...]
    data: tuple[Path, ...]


def code_hash(*modules: str) -> str:
    """SHA-1 over `modules`, all of this package that they import, and the files that these name.

    Imports inside functions count, those for type checkers do not. Plug-ins are chosen by name
    while a job runs, so no import statement shows them: the caller names them, as in
    code_hash("pstl.train.pretrain", "pstl.methods.pstl").
    Raises: UserError if there is no such module.
    """
    total = hashlib.sha1()
    modules_run = closure(*modules)
    for module in sorted(modules_run):
        if code := _source(module).code:
            total.update(f"{module}\0{code}\0".encode())
    for path in sorted(files_read(*modules_run)):
        content = hashlib.sha1(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(PACKAGE).as_posix()}\0{content}\0".encode())
    return total.hexdigest()[:16]


def package_hash() -> str:
    """SHA-1 over the bytes of every module of the package, whoever runs it.

    Installed or in a checkout: an installed one carries other files as well (pstl/checkout.py).
    """
    total = hashlib.sha1()
    modules = [path for path in PACKAGE.rglob("*.py") if (path.parent / "__init__.py").exists()]
    for path in sorted(modules):
        total.update(f"{path.relative_to(PACKAGE)}\0".encode() + path.read_bytes() + b"\0")
    return total.hexdigest()


def closure(*modules: str) -> set[str]:
    """`modules`, the packages they lie in and what they import of this package, at any depth."""
    reached: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += imports(module)
    return reached


def imports(module: str) -> tuple[str, ...]:
    """Modules of this package that one imports itself, its parent package among them; sorted."""
    return _source(module).imports


def files_read(*modules: str) -> set[Path]:
    """Data files of this package that `modules` name: in quotes, by their place beside the module.

    A folder stands for all files in it, unless it is a package.
    """
    paths: set[Path] = set()
    for module in modules:
        for path in _source(module).data:
            paths.update(_files_below(path))
    return paths


def _files_below(path: Path) -> Iterator[Path]:
    """The file itself, or every file in a folder; no modules."""
    if path.is_dir() and path.name != "__pycache__":
        for inner in path.iterdir():
            yield from _files_below(inner)
    elif path.is_file() and path.suffix != ".py":
        yield path


def _source(module: str) -> Source:
    path = _file(module)
    state = path.stat()
    return _read(module, path, state.st_mtime_ns, state.st_size)


@cache
def _read(module: str, path: Path, changed: int, size: int) -> Source:
    """One module's source in one state of its file."""
    tree = syntax_tree(path)
    _Plain().visit(tree)
    imported = {module.rpartition(".")[0]} - {""}
    data: set[Path] = set()
    for node in ast.walk(tree):
        imported.update(_imported(node, module))
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            data.update(_data_named(node.value, path.parent))
    code = _text(tree.body) if tree.body else ""
    return Source(code, tuple(sorted(imported)), tuple(sorted(data)))


def _data_named(word: str, folder: Path) -> Iterator[Path]:
    """The file or folder of data that a word in quotes names, if there is one."""
    if FILE_NAME.fullmatch(word):
        path = folder / word
        package = (path / "__init__.py").exists()
        if path.exists() and path.suffix != ".py" and not package:
            yield path


class _Plain(ast.NodeTransformer):
    """Takes out of a syntax tree what is never executed: docstrings, imports for type checkers."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if text else node

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node.orelse
        return node


def _text(node: object) -> str:
    """A syntax node as text, equal in every version of Python: what is empty is left out."""
    if isinstance(node, list):
        return f"[{','.join(map(_text, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = [type(node).__name__]
    for field, value in ast.iter_fields(node):
        if field not in UNIMPORTANT and value is not None and value != []:
            parts.append(f"{field}={_text(value)}")
    return f"({' '.join(parts)})"


def _imported(node: ast.AST, module: str) -> Iterator[str]:
    """Modules of this package that one syntax node imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if _path(alias.name))
    elif isinstance(node, ast.ImportFrom):
        base = _base(node, module)
        names = [f"{base}.{alias.name}" for alias in node.names]
        modules = [
            name for name in names if _path(name)
        ]  # pstl.ops.masks of `from pstl.ops import masks`
        yield from modules
        if len(modules) < len(names) and _path(base):
            yield base


def _base(node: ast.ImportFrom, module: str) -> str:
    """The module that `from ... import` names; relative ones count from the module's package."""
    if not node.level:
        return node.module or ""
    package = module.split(".")
    if _file(module).name != "__init__.py":
        package.pop()
    kept = package[: len(package) - node.level + 1]
    return ".".join([*kept, node.module] if node.module else kept)


def _path(module: str) -> Path | None:
    """File of one module of this package; None if the name is not one."""
    head, *tail = module.split(".")
    if head != PACKAGE.name:
        return None
    path = PACKAGE.joinpath(*tail)
    return next((p for p in (path / "__init__.py", path.with_suffix(".py")) if p.is_file()), None)


def _file(module: str) -> Path:
    path = _path(module)
    if path is None:
        raise UserError(
            f"no module {module!r} in {PACKAGE.name}; use its full name, e.g. pstl.tasks.linear"
        )
    return path
