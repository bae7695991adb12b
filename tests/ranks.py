"""One function as one process and as two: what a method learns must not depend on which."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import torch
import torch.multiprocessing as mp

from pstl.train import distributed


def compare(
    step: Callable[[], dict[str, torch.Tensor]], folder: Path, atol: float, rtol: float
) -> None:
    """Assert that what `step` returns on rank 0 of two processes is what it returns alone.

    step: a function of a module (the second process imports it); it shares its batch by
    `distributed.share`.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    _rank(0, 1, port, step, folder / "one.pt")
    mp.spawn(_rank, args=(2, port, step, folder / "two.pt"), nprocs=2)
    one, two = (torch.load(folder / name, weights_only=True) for name in ("one.pt", "two.pt"))
    assert one.keys() == two.keys()
    for key in one:
        torch.testing.assert_close(
            one[key], two[key], atol=atol, rtol=rtol, msg=lambda m, key=key: f"{key}: {m}"
        )


def _rank(
    rank: int, ranks: int, port: str, step: Callable[[], dict[str, torch.Tensor]], out: Path
) -> None:
    torch.set_num_threads(1)
    if ranks > 1:
        os.environ |= {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        distributed.start(torch.device("cpu"))
    found = step()
    if rank == 0:
        torch.save(found, out)
    distributed.stop()
