"""Errors a person is meant to read: one line with what was found, what was expected, what to do."""

import ast
import errno
from importlib import import_module
from os import PathLike
from pathlib import Path, PurePath
from traceback import extract_tb
from types import ModuleType

GO_ON = "then run the same command again: what is finished is kept"
# What goes wrong with disks and folders -> what to do about it.
REMEDIES = {
    errno.ENOSPC: f"free some room, {GO_ON}",
    errno.EDQUOT: f"free some room, {GO_ON}",
    errno.EFBIG: f"raise the limit on the size of files, {GO_ON}",
    errno.EROFS: "write somewhere else, or have it made writable",
    errno.EACCES: "write somewhere else, or have it made writable",
    errno.EPERM: "write somewhere else, or have it made writable",
    errno.ENOTDIR: "a file stands where a folder should be: move it away",
    errno.EEXIST: "a file stands where a folder should be: move it away",
    errno.EISDIR: "a folder stands where a file should be: move it away",
    errno.EIO: "the disk is failing: copy what is there to another one",
    errno.ENOENT: "make that folder or file, or name another",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "a link leads to itself: remove it",
}
# Packages that are installed without an extra, by the names under which they are imported.
CORE = ("torch", "numpy", "yaml", "pydantic", "typer", "filelock", "safetensors")
# Packages of extras other than `workflow`, by the names under which they are imported.
EXTRAS = {"huggingface_hub": "hub", "mediapipe": "live", "cv2": "live"}
OTHERWISE = "see that it can be read and written, or name another"


class UserError(Exception):
    """Something the user can put right.

    The command line prints it as one line, without traceback, and exits with 2.
    """


class ShapeError(UserError, ValueError):
    """A tensor or array has a shape the function cannot take; the message states both shapes."""


def import_plugin(module: str) -> ModuleType:
    """Import a file of this package that somebody may have added.

    Raises: UserError that names the file and the line, whatever it does wrong meanwhile;
    ModuleNotFoundError for a package that is not installed.
    """
    try:
        return import_module(module)
    except UserError:
        raise
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and not f"{error.name}.".startswith("pstl."):
            raise
        file = f"{module.replace('.', '/')}.py"
        lines = [f.lineno for f in extract_tb(error.__traceback__) if f.filename.endswith(file)]
        line = error.lineno if isinstance(error, SyntaxError) else next(iter(lines), None)
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        place = file if line is None else f"{file}, line {line}"
        kind = type(error).__name__
        raise UserError(f"{place}: cannot be imported: {kind}: {reason}") from error


def syntax_tree(path: Path) -> ast.Module:
    """A Python file, read and not run. Raises: UserError that names file and line of a mistake."""
    try:
        return ast.parse(path.read_bytes())
    except SyntaxError as error:
        raise UserError(f"{path}, line {error.lineno}: no Python: {error.msg}") from None


def trouble(error: OSError, path: str | PathLike[str] = "") -> str:
    """One line about a disk or folder that cannot be read or written.

    path: what was to be written, where that is known.
    """
    place = path or error.filename or "output"
    cause = ""
    if path and error.filename and _elsewhere(error.filename, path):
        cause = f" ({error.filename})"
    reason = (error.strerror or str(error) or type(error).__name__).lower()
    remedy = REMEDIES.get(error.errno or 0, OTHERWISE)
    return f"{place}: {' '.join(reason.split())}{cause}; {remedy}"


def one_line(text: str) -> str:
    """A text without what a terminal would obey: control letters as Python writes them.

    >>> one_line("a\\nb")
    'a\\\\nb'
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def missing_package(error: ModuleNotFoundError) -> str:
    """What to install, where a package is not there. Raises: the error itself if it is this one."""
    package = (error.name or "").partition(".")[0]
    if package in ("", "pstl"):
        raise error
    extra = "" if package in CORE else f"[{EXTRAS.get(package, 'workflow')}]"
    return f"needs {package}, which is not installed here; run: pip install 'pstl{extra}'"


def _elsewhere(name: str | bytes | int, path: str | PathLike[str]) -> bool:
    """Whether an error's path tells more than `path`: it is not that or a temporary sibling."""
    failed, meant = PurePath(str(name)), PurePath(path)
    temporary = any(part.startswith(f".{meant.name}.") for part in failed.parts)
    return failed != meant and not temporary
