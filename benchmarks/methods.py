"""Speed and memory of every method at its paper's shapes, each in a process of its own."""

import json
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.processes import measured_apart
from benchmarks.text import aligned
from pstl.config import MethodSettings, Params, Run, validated
from pstl.data.loader import Clips
from pstl.data.store import ArraySet
from pstl.encoding.features import encode
from pstl.errors import UserError
from pstl.modules import BaseMethod
from pstl.provenance import git_hash, versions
from pstl.records import Clip
from pstl.registry import load as load_plugin
from pstl.registry import load_recipe
from pstl.rng import torch_generator
from pstl.skeletons import load as load_skeleton
from pstl.train import batches, optimiser
from pstl.train.encoder_file import EncoderCard
from pstl.train.hardware import device_name, device_of_job, peak_memory
from pstl.train.loop import update
from pstl.train.precision import chosen, use_bf16
from pstl.train.pretrain import build_method

# NTU RGB+D 60, the papers' common ground.
SKELETON = "kinect_v2"
PEOPLE = 2
CLASSES = 60
FRAMES = (40, 120)  # of the shortest and of the longest clip; 80 on average
COLUMNS = {
    "method": "method",
    "device": "device",
    "batch": "batch_size",
    "precision": "precision",
    "train clips/s": "train_clips_per_second",
    "encode clips/s": "encode_clips_per_second",
    "peak MiB": "train_peak_mb",
    "encoder params": "encoder_parameters",
}


def bench(
    params: Params,
    methods: Sequence[str] | None,
    device: torch.device,
    steps: int,
    batch: int | None = None,
    suite: str | None = None,
) -> list[dict[str, Any]]:
    """One row per method: {method, device, batch_size, precision, train_clips_per_second, ...}.

    methods: None takes every entry that trains (epochs > 0).   steps: counted, after one warm-up.
    batch: clips a step; None: the method's own.
    suite: whose changes of the methods are measured; None: the papers' settings.
    Raises: UserError for an unknown method, or one that does not fit into memory.
    """
    rows = []
    for name in methods or trained_methods(params, suite):
        section = settings_of(params, suite, name)
        if not section.train.epochs:
            others = ", ".join(trained_methods(params, suite))
            raise UserError(f"--method {name}: trains nothing that could be timed; take {others}")
        own_batch = section.train.batch_size
        if batch is not None:
            train = section.train.model_copy(update={"batch_size": batch})
            section = section.model_copy(update={"train": train})
        row = measured_alone(name, section, device, steps)
        rows.append({**row, "own_batch_size": own_batch, "suite": suite or ""})
    return rows


def measure(name: str, content: dict[str, Any], device_text: str, steps: int) -> dict[str, Any]:
    """Train and encode simulated noise of the method's shape; every second clip has one person.

    content: the method's settings, as JSON holds them.
    """
    device = device_of_job(device_text)
    section = MethodSettings.model_validate(content)
    section = section.model_copy(update={"train": chosen(section.train, device)})
    data = clips_of(section)
    card = card_of(section, data)
    about: dict[str, Any] = {"suite": "bench", "dataset": "ntu60", "split": "xsub", "seed": 0}
    run = Run(method=name, stream=card.stream, **about)
    method = build_method(run, section, card, CLASSES).to(device)
    clips = Clips(data, np.arange(len(data.x)), device)
    encoded = encode_rate(card, method, clips, steps)
    trained, items_per_clip = train_rate(method, data, section, device, steps)
    return {
        "method": name,
        "device": device_name(device),
        "batch_size": section.train.batch_size,
        "precision": section.train.precision,
        "train_clips_per_second": trained,
        "items_per_clip": items_per_clip,
        "train_peak_mb": peak_memory(device),
        "encode_clips_per_second": encoded,
        "features": method.encoder.width,
        "encoder_parameters": weights_of(method.encoder),
        "parameters": weights_of(method),
        "threads": torch.get_num_threads(),
        "git": git_hash(),
        "versions": versions(),
    }


def weights_of(module: torch.nn.Module) -> int:
    """Number of its parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as aligned text."""
    lines = [list(COLUMNS)]
    for row in rows:
        values = [row[name] for name in COLUMNS.values()]
        lines.append([value if isinstance(value, str) else f"{value:,.0f}" for value in values])
    return aligned(lines)


def trained_methods(params: Params, suite: str | None) -> list[str]:
    """Entries that train."""
    if suite is not None:
        used = dict.fromkeys(run.method for run in params.runs(suite))
        return [name for name in used if params.method(suite, name).train.epochs]
    return [name for name in params.methods if settings_of(params, None, name).train.epochs]


def settings_of(params: Params, suite: str | None, name: str) -> MethodSettings:
    """Settings of a method: with a suite's changes, or as its paper has them."""
    if suite is not None:
        return params.method(suite, name)
    return params.method_in_paper(name)


def measured_alone(
    name: str, section: MethodSettings, device: torch.device, steps: int
) -> dict[str, Any]:
    """What `measure` gives, so that peak memory is the method's alone."""
    argument = [name, section.model_dump(mode="json"), str(device), steps]
    job = measured_apart("benchmarks.methods", argument)
    if job.returncode == -signal.SIGKILL:
        why = "most likely for want of memory; try it in smaller batches: --batch-size N"
        raise UserError(f"bench of {name} was killed, {why}")
    if job.returncode:
        stopped = f"bench of {name} stopped with code {job.returncode}"
        raise UserError(f"{stopped}; its message stands above")
    row: dict[str, Any] = json.loads(job.stdout.splitlines()[-1])
    return row


def card_of(section: MethodSettings, data: ArraySet) -> EncoderCard:
    module = load_plugin("methods", section.method)
    cfg = validated(module.Config, section.settings, f"methods.{section.method}.settings")
    return EncoderCard(
        method=section.method,
        settings=section.settings,
        encoder=section.encoder.model_dump(),
        recipe=section.recipe.model_dump(),
        skeleton=SKELETON,
        people=PEOPLE,
        frames=module.Method.frames(cfg, data.x.shape[2]),
        stream=module.Method.wants.only_stream or "joint",
    )


def clips_of(section: MethodSettings) -> ArraySet:
    """Two batches of random walks of FRAMES as the method's recipe makes them.

    Every second one is of one person.
    """
    recipe, n = load_recipe(section.recipe.name), 2 * section.train.batch_size
    rng = np.random.default_rng(0)
    skeleton, walks = load_skeleton(SKELETON), []
    for i, frames in enumerate(rng.permutation(np.linspace(*FRAMES, n).astype(int))):
        walk = rng.normal(size=(frames, skeleton.joints, 2, 3)).cumsum(0).astype(np.float32)
        walk[:, :, 1] *= i % 2
        walks.append(Clip("S001C001P001R001A001", 0, walk))
    cfg = validated(recipe.Config, section.recipe.settings, "recipe")
    x, length = recipe.apply(walks, skeleton, PEOPLE, cfg)
    everything = np.arange(n)
    return ArraySet(x, everything % CLASSES, length, everything.astype(np.uint64), [], {}, {})


def train_rate(
    method: BaseMethod, data: ArraySet, section: MethodSettings, device: torch.device, steps: int
) -> tuple[float, float]:
    """Clips per second of whole optimiser steps, one a batch, and items per clip.

    Where items are bodies, a clip has as many as there are bodies in it.
    """
    everything = np.arange(len(data.x))
    labelled = None
    if section.labels is not None:
        labelled = everything[: max(1, round(section.labels * len(everything)))]
    wants = replace(method.wants, labels=True)
    clips = Clips(data, everything, device, wants, labelled, section.labels)
    members = []
    for step in range(steps + 1):
        members.append(batches.of_epoch(clips, section.train, seed=0, epoch=step)[0])
    method.train()
    if section.train.precision == "bf16":
        use_bf16(method)
    optim, size = optimiser.build(method, section.train), section.train.batch_size
    began = 0.0
    for step in range(steps + 1):
        if step == 1:
            wait(device)
            began = clock(device)
        batch = batches.make(clips, members[step])
        losses = method(batch, torch_generator(0, "bench", step))
        losses["loss"].backward()
        update(method, optim, section.train, section.train.lr)
    wait(device)
    items_per_clip = len(clips) / len(data.x)
    return steps * size / (clock(device) - began) / items_per_clip, items_per_clip


@torch.inference_mode()
def encode_rate(card: EncoderCard, method: BaseMethod, clips: Clips, steps: int) -> float:
    """Clips per second of the frozen encoder."""
    method.eval()
    began, size = 0.0, len(clips) // 2
    for step in range(steps + 1):
        if step == 1:
            wait(clips.device)
            began = clock(clips.device)
        x, length, _ = clips.take(torch.arange(size) + step % 2 * size)
        encode(card, method.encoder, x, length)
    wait(clips.device)
    return steps * size / (clock(clips.device) - began)


def clock(device: torch.device) -> float:
    """Seconds until now.

    On one CPU thread those that the processor spent on this process: what else the machine does is
    not counted.
    """
    is_single = device.type == "cpu" and torch.get_num_threads() == 1
    return time.process_time() if is_single else time.perf_counter()


def wait(device: torch.device) -> None:
    """Until a GPU has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
