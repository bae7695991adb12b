"""One training step of any entry of params.yaml, as the loop makes it, on any device."""

from dataclasses import replace

import numpy as np
import torch

from benchmarks import methods as bench
from pstl.config import MethodSettings, Params, Run
from pstl.data.loader import Clips
from pstl.modules import BaseMethod
from pstl.records import Batch
from pstl.rng import torch_generator
from pstl.train import batches
from pstl.train.pretrain import build_method

CLIPS = 8  # of a batch


def settings_of(params: Params, name: str) -> MethodSettings:
    """The paper's settings of an entry, with small batches."""
    section = params.method_in_paper(name)
    train = section.train.model_copy(update={"batch_size": CLIPS})
    return section.model_copy(update={"train": train})


def made(params: Params, name: str) -> tuple[BaseMethod, Batch]:
    """The method of an entry and a batch for it, both on the CPU.

    Every second clip is of one person.
    """
    section = settings_of(params, name)
    data = bench.clips_of(section)
    card = bench.card_of(section, data)
    about = {"suite": "t", "dataset": "ntu60", "split": "xsub", "seed": 0}
    run = Run(method=name, stream=card.stream, **about)
    method = build_method(run, section, card, bench.CLASSES)
    everything = np.arange(len(data.x))
    labelled = everything[:CLIPS] if section.labels is not None else None
    wants = replace(method.wants, labels=True)
    clips = Clips(data, everything, torch.device("cpu"), wants, labelled, section.labels)
    members = batches.of_epoch(clips, section.train, seed=0, epoch=0)[0]
    return method.train(), batches.make(clips, members)


def moved(batch: Batch, device: str) -> Batch:
    """The batch as clips on this device give it: what is known of it stays on the CPU."""
    y = None if batch.y is None else batch.y.to(device)
    return batch._replace(x=batch.x.to(device), length=batch.length.to(device), y=y)


def step(method: BaseMethod, batch: Batch) -> None:
    """Forward, backward, and what follows the optimiser's step."""
    method(batch, torch_generator(0, "step"))["loss"].backward()
    method.after_step()
