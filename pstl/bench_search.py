"""Search among many clips on the device at hand: time and memory of kNN and retrieval, and whether they agree with a plain loop."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from pstl.errors import UserError
from pstl.provenance import git_hash
from pstl.tasks import knn, retrieval
from pstl.tasks._features import FeatureSet
from pstl.tasks._result import Result
from pstl.train.pretrain import device_name, peak_memory

WIDTH, CLASSES = 256, 120  # PSTL's features, NTU-120's classes
CHECKED = 64  # queries that a plain loop answers, too
TASKS = {"knn": knn, "retrieval": retrieval}


def bench_search(gallery: int, queries: int, device: torch.device, tasks: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """One row per task: {task, gallery, queries, width, seconds, cpu_seconds, before_mb, peak_mb, agrees, ...}, each in its own process.

    before_mb: memory with features of inputs_mb and libraries loaded, and CHECKED queries answered.   agrees: these, with a plain loop.
    """
    if min(gallery, queries) < 1 or set(tasks or ()) - set(TASKS):
        raise UserError(f"search: expected at least one clip and query, and tasks among {', '.join(TASKS)}")
    rows = []
    for task in tasks or TASKS:
        code = "import sys, json; from pstl.bench_search import measure; print(json.dumps(measure(*json.loads(sys.argv[1]))))"
        argument = json.dumps([task, gallery, queries, str(device)])
        job = subprocess.run([sys.executable, "-c", code, argument], stdout=subprocess.PIPE, text=True)
        if job.returncode:
            raise UserError(f"search by {task} stopped with code {job.returncode}; its message stands above")
        rows.append(json.loads(job.stdout.splitlines()[-1]))
    return rows


def measure(task: str, gallery: int, queries: int, device_text: str) -> dict[str, Any]:
    """One task on random features of overlapping classes."""
    device = torch.device(device_text)
    features = made_up(gallery, queries)
    few = replace(features, test=features.test[:CHECKED], y_test=features.y_test[:CHECKED], unseen=features.unseen[:CHECKED])
    few_found = search(task, few, device)  # also what is loaded once
    before, began, used = peak_memory(device), time.perf_counter(), time.process_time()
    found = search(task, features, device)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - used
    plain = by_loop(few)
    agrees = abs(few_found.metrics["top1" if task == "knn" else "map"] - plain[task]) < 1e-9
    return {
        "task": task, "gallery": gallery, "queries": queries, "width": WIDTH, "classes": CLASSES, "device": device_name(device),
        "seconds": seconds, "cpu_seconds": cpu_seconds, "inputs_mb": (features.train.nbytes + features.test.nbytes) / 2**20,
        "before_mb": before, "peak_mb": peak_memory(device), "agrees": agrees, "checked": len(few.test),
        "metrics": found.metrics, "threads": torch.get_num_threads(), "git": git_hash(),
    }  # fmt: skip


def search(task: str, features: FeatureSet, device: torch.device) -> Result:
    """One of TASKS with its usual settings."""
    module = TASKS[task]
    result: Result = module.run(features, module.Config(), 0, device)
    return result


def by_loop(features: FeatureSet) -> dict[str, float]:
    """The definitions, query by query: knn's top1 with k = 1 and retrieval's mean average precision, in percent."""
    unit = [
        side.astype(np.float64) / np.linalg.norm(side.astype(np.float64), axis=1, keepdims=True) for side in (features.train, features.test)
    ]
    right, precisions = [], []
    for query, label in zip(unit[1], features.y_test, strict=True):
        hits = features.y_train[np.argsort(-(unit[0] @ query), kind="stable")] == label
        right.append(bool(hits[0]))
        rank = np.flatnonzero(hits) + 1
        precisions.append(float((np.arange(1, len(rank) + 1) / rank).mean()) if len(rank) else 0.0)
    return {"knn": 100 * float(np.mean(right)), "retrieval": 100 * float(np.mean(precisions))}


def made_up(gallery: int, queries: int) -> FeatureSet:
    """Features around a mean per class, far enough apart that neither all nor no queries are answered right."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(CLASSES, WIDTH)).astype(np.float32)
    y, y_test = np.arange(gallery) % CLASSES, np.arange(queries) % CLASSES
    train, test = (rng.standard_normal((len(side), WIDTH), np.float32) * 4 + means[side] for side in (y, y_test))
    return FeatureSet(train, test, y, y_test, np.ones(queries, bool), {"classes": [str(i) for i in range(CLASSES)]})


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as text."""
    lines = [
        f"{row['task']}: {row['queries']:,} queries in {row['gallery']:,} clips of {row['width']} features, {row['device']}: "
        f"{row['seconds']:,.1f} s ({row['cpu_seconds']:,.1f} s of processor), peak {row['peak_mb']:,.0f} MiB, "
        f"{row['peak_mb'] - row['before_mb']:,.0f} beyond {row['before_mb']:,.0f} before; "
        f"{'as' if row['agrees'] else 'NOT AS'} a plain loop on {row['checked']} queries"
        for row in rows
    ]
    return "\n".join(lines) + "\n"
