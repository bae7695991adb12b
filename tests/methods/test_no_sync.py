"""No step waits for a GPU: the processor hands out the next one while the device still computes.

A value that comes back to the processor (`.item()`, `if tensor`), a shape that depends on values
(`nonzero`, a boolean index) and a copy that is not told to be `non_blocking` each stop it. The step
runs on torch's device `meta`, which has shapes and no values, so it needs no GPU and no time.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks import methods as bench
from pstl import config

from .one_step import made, moved, step

PARAMS = config.load(Path(__file__).parents[2] / "params.yaml")
MADE_OF_NUMBERS = (torch.tensor, torch.as_tensor, torch.Tensor.new_tensor)
INDEXED = (torch.Tensor.__getitem__, torch.Tensor.__setitem__)
# Encoders that must wait, and why.
WAITING = {"bigru": "torch's packed sequences need their lengths on the host, once a step"}


def methods() -> list[Any]:
    """Entries that train; of those that must wait it is expected."""
    entries = []
    for name in bench.trained_methods(PARAMS, None):
        reason = WAITING.get(PARAMS.method_in_paper(name).encoder.name)
        marks = () if reason is None else pytest.mark.xfail(reason=reason, strict=True)
        entries.append(pytest.param(name, marks=marks))
    return entries


METHODS = methods()


class Copies(TorchDispatchMode):
    """Lists what copies to the device, or indexes there by a tensor of the CPU, and waits."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func.name()
        first = args[0] if args and isinstance(args[0], torch.Tensor) else None
        if name == "aten::_to_copy" and first is not None:
            goes = kwargs.get("device")
            if first.device.type == "cpu" and goes is not None and goes.type == "meta":
                self.check(name, kwargs.get("non_blocking", False), first)
        if name == "aten::copy_" and args[1].device != args[0].device:
            self.check(name, args[2] if len(args) > 2 else kwargs.get("non_blocking"), args[1])
        if name.startswith(("aten::index.Tensor", "aten::index_put")) and first.is_meta:
            on_host = [i for i in args[1] if i is not None and i.device.type == "cpu"]
            for index in on_host:
                self.check(f"{name} by a list or a tensor of the CPU", False, index)
        return func(*args, **kwargs)

    def check(self, name: str, non_blocking: bool | None, tensor: torch.Tensor) -> None:
        if not non_blocking:
            self.waiting.append(f"{name} of {tuple(tensor.shape)}")


class Words(TorchFunctionMode):
    """Lists what is made of numbers of the host and then copied to the device, which waits."""

    def __init__(self, waiting: list[str]) -> None:
        super().__init__()
        self.waiting = waiting

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in MADE_OF_NUMBERS and result.is_meta:
            self.waiting.append(f"{func.__name__} of {tuple(result.shape)} on the device")
        if func in INDEXED and args[0].is_meta:
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            if any(isinstance(part, list) for part in index):
                self.waiting.append("an index that is a list")
        return result


@contextmanager
def watched() -> Iterator[list[str]]:
    """What waits for the device inside, as it is found out."""
    copies = Copies()
    with Words(copies.waiting), copies:
        yield copies.waiting


@pytest.fixture
def autocast_of_meta(monkeypatch):
    """torch refuses to switch autocast off for a device that has none."""
    autocast = torch.autocast

    def of(device: str, *args: Any, **kwargs: Any) -> Any:
        return nullcontext() if device == "meta" else autocast(device, *args, **kwargs)

    monkeypatch.setattr(torch, "autocast", of)


@pytest.mark.parametrize("name", METHODS)
def test_a_step_waits_for_nothing_on_the_device(name, autocast_of_meta):
    """A GPU that is waited for stands still while the processor hands out the next operations."""
    method, batch = made(PARAMS, name)
    method, batch = method.to("meta"), moved(batch, "meta")
    with watched() as waiting:
        step(method, batch)
    assert waiting == []


@pytest.mark.parametrize(
    "waits",
    [
        lambda x: x[:, [1, 0]],
        lambda x: x + torch.ones(3).to(x.device),
        lambda x: x * torch.tensor(2.0, device=x.device),
        lambda x: x * x.new_tensor(2.0),
        lambda x: x[x > 0],
        lambda x: x.sum().item(),
        lambda x: x if x.any() else -x,
        lambda x: x.nonzero(),
        lambda x: x.cpu(),
    ],
)
def test_what_waits_is_seen(waits):
    """A watch that sees nothing would let everything pass."""
    x = torch.ones(4, 3, device="meta")
    with watched() as waiting:
        try:
            waits(x)
        except (RuntimeError, NotImplementedError):
            return  # without values it cannot go on
    assert waiting


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch's watch needs a CUDA device")
@pytest.mark.parametrize("name", METHODS)
def test_a_step_waits_for_nothing_on_a_gpu(name):
    """The same by torch's own watch, where there is a GPU."""
    method, batch = made(PARAMS, name)
    method, batch = method.to("cuda"), moved(batch, "cuda")
    step(method, batch)  # libraries are loaded and workspaces made at the first
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(method, batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")
