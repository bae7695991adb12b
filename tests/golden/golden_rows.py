"""Every row of the suite in suites/golden.yaml, made by the verbs of the command line."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pstl.cli import main

HERE = Path(__file__).parent
ARRAYS = {
    "pstl": "resize50",
    "skeletonbt": "resize50",
    "supervised": "resize50",
    "random_init": "resize25",
    "raw": "resize25",
    "scdnet": "spine300",
    "hitrs": "metres300",
    "psp": "scaled300",
    "predict_cluster": "view50",
    "umurl": "spine300",
}
STREAMS = {"umurl": "other"}  # of the methods that have no joint stream
RECIPES = {
    "resize50": "resize50",
    "resize25": '{"name": "resize50", "frames": 25}',
    "spine300": "spine300",
    "metres300": "metres300",
    "scaled300": "scaled300",
    "view50": "view50",
}
ON_FEATURES = ("linear", "probe", "knn", "retrieval")
WITH_CLASSIFIER = ("supervised", "psp")
TRAINED = ("semi", "finetune")
LABELS = {"psp": "psp.json", "semi": "per_class_round.json"}  # which file each needs
CPU = ("--device", "cpu")
# Columns that say when and where a row was made.
LEFT_OUT = ("seconds", "peak_mb", "git", "run_id", "device", "data_checksum", "settings_digest")
LEFT_OUT += ("precision", "labelled", "weights", "torch", "threads", "processor")

# By the rows of a cell.
SHARED = (
    "task", "dataset", "split", "stream", "labels", "source", "protocol", "method", "seed",
)  # fmt: skip
CURVE = ("epoch", "step", "lr", "loss", "top1")
OTHERS = ("labelled", "without", "not_applicable")


def pstl(*words: object) -> None:
    main([str(word) for word in words])


@contextmanager
def folder() -> Iterator[Path]:
    """An empty current folder with the suite's settings."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        shutil.copy(HERE / "params.yaml", "params.yaml")
        shutil.copytree(HERE / "suites", "suites")
        try:
            yield Path(name)
        finally:
            os.chdir(before)


def prepared() -> None:
    """Files, sequences, arrays and lists of labelled clips."""
    pstl("fetch", "synthetic", "--out", "raw")
    pstl("parse", "synthetic", "--raw", "raw", "--out", "sequences", "--jobs", 1)
    where = ("--sequences", "sequences")
    for name, recipe in RECIPES.items():
        words = ("prepare", "synthetic", "--recipe", recipe, *where)
        pstl(*words, "--out", f"arrays/{name}", "--jobs", 1)
    for rule in ("psp", "per_class_round"):
        words = ("labels", "synthetic", *where, "--split", "xsub", "--rule", rule, "--draw", 0)
        pstl(*words, "--out", f"{rule}.json")
    pstl("fetch", "synthetic_untrimmed", "--out", "raw_untrimmed")
    words = ("parse", "synthetic_untrimmed", "--untrimmed", "--raw", "raw_untrimmed")
    pstl(*words, "--out", "recordings", "--jobs", 1)


def run_of(method: str, stream: str = "joint", dataset: str = "synthetic") -> str:
    return f"golden/{dataset}/xsub/{method}/{stream}/s0"


def pretrained(method: str, stream: str = "joint") -> Path:
    """The folder of a run with its encoder."""
    home, array = Path("runs", method, stream), f"arrays/{ARRAYS[method]}"
    labels = ("--labels", LABELS[method]) if method in LABELS else ()
    words = ("pretrain", "--run", run_of(method, stream), "--array", array, *labels)
    pstl(*words, "--out", home / "encoder.pt", *CPU)
    return home


def encoded(method: str, home: Path, norm: str) -> Path:
    """The features of a run."""
    out = home / norm / "features.npz"
    array = ("--array", f"arrays/{ARRAYS[method]}", "--split", "xsub")
    words = ("features", "--encoder", home / "encoder.pt", *array, "--batch-norm", norm)
    pstl(*words, "--out", out, *CPU)
    return out


def evaluated(task: str, run: str, home: Path, norm: str, *inputs: object) -> dict[str, Any]:
    """One task's file of results."""
    out = home / norm / f"{task}.json"
    words = ("evaluate", "--task", task, "--run", run, "--batch-norm", norm, "--out", out)
    pstl(*words, "--scores", out.with_suffix(".scores.npz"), *inputs, *CPU)
    return described(out)


def described(path: Path) -> dict[str, Any]:
    """What a file of results says, without when and where: what all rows share, and the rows."""
    content = json.loads(path.read_text())
    told = [
        {name: value for name, value in row.items() if name not in LEFT_OUT}
        for row in content["rows"]
    ]
    shared = {name: told[0][name] for name in SHARED} if told else {}
    for row in told:
        assert {name: row.pop(name) for name in SHARED} == shared
    curve = [
        {name: epoch[name] for name in CURVE if name in epoch} for epoch in content.get("curve", ())
    ]
    shown = {
        "timelines": [[part["name"], len(part["truth"])] for part in content.get("timelines", ())],
        "motions": [[part["name"], len(part["found"])] for part in content.get("motions", ())],
    }
    others = {name: content[name] for name in OTHERS if name in content}
    return {**shared, "rows": {key_of(row): row["value"] for row in told}, "curve": curve} | {
        **{name: parts for name, parts in shown.items() if parts},
        **others,
    }


def key_of(row: dict[str, Any]) -> str:
    """What a row is about: all its columns but those the cell's rows share."""
    names = sorted(set(row) - {"value"})
    return " ".join(f"{name}={row[name]}" for name in names)


def cells_of(method: str) -> dict[str, Any]:
    """All tasks of a method's first stream on the simulated set."""
    stream = STREAMS.get(method, "joint")
    home, run = pretrained(method, stream), run_of(method, stream)
    cells = {}
    norms = ("released", "recalibrated") if method == "pstl" else ("released",)
    for norm in norms:
        features = encoded(method, home, norm)
        for task in ON_FEATURES:
            words = ("--features", features)
            cells[f"{run} {norm} {task}"] = evaluated(task, run, home, norm, *words)
    released = home / "released"
    clips = ("--encoder", home / "encoder.pt", "--array", f"arrays/{ARRAYS[method]}")
    inputs: dict[str, tuple[object, ...]] = {
        "finetune": clips,
        "semi": (*clips, "--labels", LABELS["semi"]),
        "lost_joints": (*clips, "--features", released / "features.npz"),
    }
    if method in WITH_CLASSIFIER:
        inputs["classify"] = (*clips, "--snapshots", home / "snapshots.zip")
    if method not in ("raw", "hitrs"):
        recordings = ("--recordings", "sequences")
        inputs["prediction"] = ("--encoder", home / "encoder.pt", *recordings)
    for task, words in inputs.items():
        cells[f"{run} released {task}"] = evaluated(task, run, home, "released", *words)
    return cells


def detections(method: str) -> dict[str, Any]:
    """Detection on untrimmed recordings with the encoder of the trimmed clips."""
    home, run = Path("runs", method, "joint"), run_of(method, dataset="synthetic_untrimmed")
    files = ("--encoder", home / "encoder.pt", "--recordings", "recordings")
    words = (*files, "--source", "synthetic/xsub")
    cell = evaluated("detection", run, home, "released", *words)
    return {f"{run} released detection": cell}


def fused() -> dict[str, Any]:
    """The bone stream of PSTL, and the sum of joint and bone."""
    home, run, cells = pretrained("pstl", "bone"), run_of("pstl", "bone"), {}
    features = encoded("pstl", home, "released")
    for task in ("linear", "probe", "knn"):
        words = ("--features", features)
        cells[f"{run} released {task}"] = evaluated(task, run, home, "released", *words)
        parts = []
        for stream in ("joint", "bone"):
            scores = f"runs/pstl/{stream}/released/{task}.scores.npz"
            parts.append(f"{stream}={scores}")
        out = Path(f"fused/{task}.json")
        sum_of = run_of("pstl", "fused")
        command = ("fuse", "--run", sum_of, "--task", task, "--batch-norm", "released")
        pstl(*command, "--scores", *parts, "--out", out)
        cells[f"{sum_of} released {task}"] = described(out)
    return cells


def fingerprint() -> str:
    """Equal on processors and versions whose float32 arithmetic is the same to the last bit."""
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.random((4, 16, 9, 25)).astype(np.float32))
    weight = torch.from_numpy(rng.random((16, 16, 9, 1)).astype(np.float32))
    image = torch.nn.functional.conv2d(x, weight, padding=(4, 0))
    flat = image.flatten(1)
    product = torch.softmax(flat @ flat.T / flat.shape[1], dim=1)
    parts = (image, product, torch.sin(image), torch.tanh(product), image.std((1, 2)))
    content = b"".join(part.numpy().tobytes() for part in parts)
    return hashlib.sha256(content).hexdigest()


def made() -> dict[str, Any]:
    return {"arithmetic": fingerprint(), "cells": cells()}


def cells() -> dict[str, Any]:
    with folder():
        prepared()
        cells = {}
        for method in ARRAYS:
            cells.update(cells_of(method))
        cells.update(fused())
        for method in ("pstl", "random_init"):
            cells.update(detections(method))
    return cells
