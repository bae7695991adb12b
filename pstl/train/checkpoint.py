"""last.pt: everything that is needed to go on after an interruption, written whole or not at all,
by one process at a time.
"""

import io
import logging
import os
import pickle
import re
import socket
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from pstl import locks, seals
from pstl.errors import UserError
from pstl.files import Kind, atomic, reading
from pstl.train.distributed import rank, wait_for_all

if TYPE_CHECKING:
    from filelock import FileLock

log = logging.getLogger(__name__)
History = list[dict[str, float]]
WEIGHTS = Kind("readable file of weights", "it may be truncated: delete it, or fetch it again")
# Locks of this process by checkpoint; the system frees them when it ends, however it ends.
_locks: dict[Path, "FileLock"] = {}


def save(
    path: Path,
    settings: str,
    epoch: int,
    history: History,
    method: nn.Module,
    optimiser: torch.optim.Optimizer,
) -> None:
    """`epoch` is the number of finished epochs, `settings` the digest of everything that shapes the
    run.

    The checkpoint before it stays beside it, in case this one cannot be read later.
    """
    state = {
        "settings": settings,
        "epoch": epoch,
        "history": history,
        "method": method.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    with atomic(path) as new:
        write(new, state)
        if path.exists():
            os.replace(path, previous(path))


def resume(
    path: Path, settings: str, method: nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[int, History]:
    """Load `path`, or where it is damaged the checkpoint before it, into method and optimiser.

    A checkpoint of other settings is set aside, and found again once they are restored.

    Returns: finished epochs and the history; (0, []) if there is no checkpoint of these settings.
    Raises: UserError if another process is training from this file, or if no checkpoint here can be
    read.
    """
    newest = None
    if rank() == 0:
        lock(path)
        newest = _change_to(path, settings)
    wait_for_all()
    newest = newest or _newest(path)
    if newest is None:
        return 0, []
    if newest.damage and rank() == 0:
        log.warning(
            "%s; going on from the checkpoint before it, %s, after %d epochs",
            newest.damage,
            newest.file.name,
            newest.state["epoch"],
        )
    with reading(newest.file, WEIGHTS):
        epoch, history = int(newest.state["epoch"]), list(newest.state["history"])
        method.load_state_dict(newest.state["method"])
        optimiser.load_state_dict(newest.state["optimiser"])
    return epoch, history


class Newest(NamedTuple):
    """The newest readable checkpoint.   damage: what is wrong with a newer one; empty: nothing."""

    file: Path
    state: dict[str, Any]
    damage: str = ""


def _change_to(path: Path, settings: str) -> Newest | None:
    """Set a checkpoint of other settings aside, and take one of these back that was.

    Returns: what has been read and is in its place; None where that has changed.
    """
    newest = None
    with suppress(UserError):  # said by who reads it next, if no other takes its place
        newest = _newest(path)
    others = newest and str(newest.state.get("settings"))
    if others == settings:
        return newest
    if others is not None:
        _rename(path, _aside(path, others))
        log.warning(
            "%s: of other settings; kept as %s, and this training begins afresh; restore the "
            "settings to go on with it, or delete it",
            path,
            _aside(path, others).name,
        )
    _rename(_aside(path, settings), path)
    return None


def _aside(path: Path, settings: str) -> Path:
    """Where a checkpoint is kept while its run is trained with other settings.

    settings: their digest; what a file of somebody else says instead is no part of a path.
    """
    return path.with_name(f"{path.name}.{re.sub(r'[^0-9A-Za-z]', '_', settings[:12])}")


def _rename(path: Path, name: Path) -> None:
    """Rename a checkpoint, if it is there, and the one before it."""
    for source, target in ((previous(path), previous(name)), (path, name)):
        if os.path.lexists(source):
            os.replace(source, target)


def discard(path: Path) -> None:
    """Remove a checkpoint that is no longer needed, with the one before it, and let others train
    there.
    """
    for each in (path, previous(path)):
        each.unlink(missing_ok=True)
    release(path)


def release(path: Path) -> None:
    """Let others train from `path`."""
    held = _locks.pop(path.absolute(), None)
    if held is not None:
        locks.remove(held)


def previous(path: Path) -> Path:
    """Where the checkpoint before `path` is kept."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def lock(path: Path) -> None:
    """Claim `path` for this process until it ends or discards it.

    Two processes that train one run would overwrite each other's progress.
    Raises: UserError naming the process that has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.absolute() not in _locks:
        _locks[path.absolute()] = _acquired(path)
    for half_written in path.parent.glob(f".{path.name}.[0-9]*"):
        half_written.unlink()  # of a writer that was killed: there is no other


def _acquired(path: Path) -> "FileLock":
    """The lock of a checkpoint, whose file names this process."""
    file = path.with_name(f".{path.name}.lock")
    acquired = locks.acquire(file)
    if acquired is None:
        owner = _owner(file) or "a process that has just begun"
        remedy = "wait for it, or end it, then run again"
        raise UserError(f"{path}: {owner} is training this run; {remedy}")
    file.write_text(f"process {os.getpid()} on {socket.gethostname()}\n")
    return acquired


def _owner(file: Path) -> str:
    """Who holds a lock, as it wrote itself; empty if it has not yet, or is gone."""
    try:
        return file.read_text().strip()[:200]
    except FileNotFoundError:
        return ""


def _newest(path: Path) -> Newest | None:
    """The newest readable checkpoint, None if there is none.

    Raises: UserError if there are some, and none can be read.
    """
    older = previous(path)
    if not os.path.lexists(path):
        return Newest(older, read(older)) if os.path.lexists(older) else None
    try:
        return Newest(path, read(path))
    except UserError as error:
        if not older.exists():
            raise
        return Newest(older, read(older), str(error))


def write(path: Path, content: dict[str, Any]) -> None:
    """Tensors and plain values into a file, sealed.   path: one that nobody reads yet.

    Not written by torch itself, whose message hides that a disk is full.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(buffer.getvalue())
    seals.seal_zip(path)


def read(path: str | Path) -> dict[str, Any]:
    """A file of tensors and plain values, never of code.

    Raises: UserError if it is missing, damaged or holds anything else.
    """
    with reading(path, WEIGHTS):
        if broken := _wrong_checksum(path):
            raise ValueError(f"checksum of {broken} is wrong")
        content: dict[str, Any] = _loaded(path)
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}, expected weights by name")
        return content


def _loaded(path: str | Path) -> Any:
    """What torch makes of a file. Raises: UserError for one that asks for code to be run."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "unsupported global" not in str(error).lower():
            raise
        raise UserError(
            f"{path}: holds more than tensors and plain values, which only running code from it "
            "would read; have its tensors alone saved, as a state_dict"
        ) from None


def _wrong_checksum(path: str | Path) -> str | None:
    """Name of a part whose bytes are not those that were written.

    Torch would load it without complaint.
    Raises: ValueError if a sealed file is not what was sealed.
    """
    if not zipfile.is_zipfile(path):
        return None
    if digest := seals.zip_digest(path):
        seals.check_zip(path, digest)
        return None
    with zipfile.ZipFile(path) as parts:
        return parts.testzip()
