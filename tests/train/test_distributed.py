import os
import socket

import pytest
import torch
import torch.multiprocessing as mp

from pstl.backbones.stgcn import Config as EncoderConfig
from pstl.backbones.stgcn import Encoder
from pstl.data.loader import shuffled
from pstl.methods import pstl, skeletonbt, supervised
from pstl.methods._base import Batch, Problem
from pstl.rng import torch_generator
from pstl.skeletons import load
from pstl.train import distributed

METHODS = {"pstl": (pstl, {"projector_width": 16}), "skeletonbt": (skeletonbt, {"projector_width": 16}), "supervised": (supervised, {})}


def gradients(rank, ranks, port, name, clips, out):
    """One step in float64 on `ranks` processes; rank 0 writes loss, gradients and batch-norm statistics."""
    torch.set_num_threads(1)
    if ranks > 1:
        os.environ |= {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(ranks),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        distributed.start(torch.device("cpu"))
    torch.manual_seed(0)
    module, settings = METHODS[name]
    skeleton = load("kinect_v1")
    encoder = Encoder(EncoderConfig(width=2, dropout=0.0), skeleton, 1, 50)
    method = module.Method(module.Config(**settings), encoder, Problem(skeleton, 1, 50, 3, "joint")).double()
    distributed.synchronise_norms(method.sharded())
    x = torch.randn(clips, 3, 50, 20, 1, generator=torch.Generator().manual_seed(1)).double().cumsum(2) * 0.1
    mine = distributed.share(torch.arange(clips))
    loss = method(Batch(x[mine], torch.full((len(mine),), 50), mine % 3), torch_generator(0, "test"))["loss"]
    loss.backward()
    distributed.average_gradients(method.parameters())
    if rank == 0:
        statistics = {k: b for k, b in method.named_buffers() if "running" in k}
        torch.save({"loss": loss.detach()} | {k: p.grad for k, p in method.named_parameters()} | statistics, out)
    distributed.stop()


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_two_ranks_have_the_gradients_of_one(tmp_path, name):
    """Global batch statistics, gathered features, averaged gradients; 9 clips do not divide by two."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    gradients(0, 1, port, name, 9, tmp_path / "one.pt")
    mp.spawn(gradients, args=(2, port, name, 9, tmp_path / "two.pt"), nprocs=2)
    one, two = torch.load(tmp_path / "one.pt"), torch.load(tmp_path / "two.pt")
    for key in one:
        torch.testing.assert_close(one[key], two[key], atol=1e-9, rtol=1e-6, msg=lambda m, key=key: f"{key}: {m}")


def test_one_epoch_visits_every_clip_once():
    """Shuffling is a permutation, another one each epoch, and ranks share it."""
    first, second = (torch.cat(shuffled(37, 8, drop_last=False, seed=0, epoch=e)) for e in (0, 1))
    assert first.sort().values.tolist() == list(range(37))
    assert not torch.equal(first, second)
    assert [len(b) for b in shuffled(37, 8, drop_last=True, seed=0, epoch=0)] == [8, 8, 8, 8]
