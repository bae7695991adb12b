"""last.pt: everything that is needed to go on after an interruption, written whole or not at all."""

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pstl.data.store import atomic
from pstl.errors import UserError


def save(
    path: Path, settings: str, epoch: int, history: list[dict[str, float]], method: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    """`epoch` is the number of finished epochs, `settings` the digest of everything that shapes the run."""
    state = {"settings": settings, "epoch": epoch, "history": history, "method": method.state_dict(), "optimiser": optimiser.state_dict()}
    with atomic(path) as new:
        torch.save(state, new)


def resume(path: Path, settings: str, method: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[int, list[dict[str, float]]]:
    """Load `path` into method and optimiser. Returns: finished epochs and the history; (0, []) if there is no checkpoint.

    Raises: UserError if the checkpoint is damaged or belongs to other settings.
    """
    if not path.exists():
        return 0, []
    state = read(path)
    if state.get("settings") != settings:
        raise UserError(
            f"{path}: checkpoint of other settings (found {state.get('settings')}, expected {settings}); "
            "restore the settings to go on with it, or delete it to start afresh"
        )
    method.load_state_dict(state["method"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["epoch"]), list(state["history"])


def read(path: str | Path) -> dict[str, Any]:
    """A file of tensors and plain values, never of code. Raises: UserError if it is missing, damaged or holds anything else."""
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0][:160]
        raise UserError(f"{path}: not a readable file of weights ({reason}); it may be truncated: delete it, or fetch it again") from None
    return content
