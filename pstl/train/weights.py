"""What may be kept of a training: weights, statistics and moments, if all are finite."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from pstl.errors import UserError


def check_weights(tensors: Mapping[str, Tensor], where: str, then: str) -> None:
    """One host sync for all tensors together.

    tensors: of any shapes by name, such as (C, D).   where: file or run.   then: what to do.
    Raises: UserError naming the first that holds NaN or infinity.
    """
    floats = {name: tensor for name, tensor in tensors.items() if _can_stray(tensor)}
    if not floats:
        return
    finite = torch.stack([tensor.isfinite().all() for tensor in floats.values()]).tolist()
    if all(finite):
        return
    name = next(name for name, good in zip(floats, finite, strict=True) if not good)
    values = floats[name]
    wrong = int((~values.isfinite()).sum())
    what = "NaN" if values.isnan().any() else "infinity"
    raise UserError(f"{where}: {name} holds {what} in {wrong} of {values.numel()} numbers; {then}")


def _can_stray(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.numel() > 0


def of_optimiser(optimiser: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    """What an optimiser remembers of each parameter, such as (C, D), by a name for people."""
    for number, state in optimiser.state_dict()["state"].items():
        for key, value in state.items():
            if isinstance(value, Tensor):
                yield f"{key} of parameter {number} in the optimiser", value
