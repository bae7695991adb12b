"""Where a number comes from: the code, the commit and the library versions that made it. Free of torch."""

import ast
import hashlib
import os
import platform
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pstl.errors import UserError

PACKAGE = Path(__file__).parent


def code_hash(*modules: str) -> str:
    """SHA-1 over the bytes of `modules` and of everything in this package that they import, at any depth.

    Imports are read, not executed, those inside functions too. Plug-ins are chosen by name while a job runs, so no import
    statement shows them: the caller names them, e.g. code_hash("pstl.train.pretrain", "pstl.methods.pstl"). The command
    line (pstl.cli) only hands values on and is imported by nothing, so a new verb changes no hash.
    Raises: UserError if there is no such module.
    """
    total = hashlib.sha1()
    for module in sorted(closure(*modules)):
        total.update(module.encode() + b"\0" + _file(module).read_bytes() + b"\0")
    return total.hexdigest()[:16]


def closure(*modules: str) -> set[str]:
    """Names of `modules`, of the packages they lie in and of everything in this package that they import, at any depth."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += imports(module)
    return found


@cache
def imports(module: str) -> tuple[str, ...]:
    """Modules of this package that one module imports itself, its parent packages among them; sorted."""
    found = {module.rpartition(".")[0]} - {""}
    for node in ast.walk(ast.parse(_file(module).read_bytes())):
        found |= set(_imported(node, module))
    return tuple(sorted(found))


def git_hash() -> str:
    """Short hash of the commit, with "-dirty" if tracked files differ from it; "unknown" outside a checkout. Never fails."""
    try:
        _git(
            "ls-files", "--error-unmatch", Path(__file__).name
        )  # a copy installed inside somebody else's checkout is not ours
        changed = _git("status", "--porcelain", "--untracked-files=no")
        return _git("rev-parse", "--short=12", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on: python, torch, numpy; "absent" where one is not installed."""
    return {
        "python": platform.python_version(),
        "torch": _version("torch"),
        "numpy": _version("numpy"),
    }


def machine() -> str:
    """Processor and number of cores, for instance "AMD EPYC, 2 cores"; never a name by which the machine could be found."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{(models or [platform.processor() or platform.machine()])[0]}, {os.cpu_count()} cores"


def _imported(node: ast.AST, module: str) -> Iterator[str]:
    """Modules of this package that one syntax node imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if _path(alias.name))
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:  # relative: count packages upwards from the module's own
            parts = module.split(".") + (
                ["__init__"] if _file(module).name == "__init__.py" else []
            )
            base = ".".join([*parts[: -node.level], *filter(None, [node.module])])
        names = [f"{base}.{alias.name}" for alias in node.names if _path(f"{base}.{alias.name}")]
        yield from names or (
            [base] if _path(base) else []
        )  # `from pstl.ops import masks` is pstl.ops.masks


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
            f"no module {module!r} in {PACKAGE.name}; name one by its full name, e.g. pstl.tasks.linear"
        )
    return path


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(PACKAGE), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=30
    ).stdout.strip()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
