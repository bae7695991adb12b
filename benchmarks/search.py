"""Search among many clips: time and memory of kNN and retrieval, beside what others would use.

And whether the answers agree with a plain loop.
"""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.processes import measured_apart
from pstl.encoding.feature_file import FeatureSet
from pstl.errors import UserError
from pstl.metrics.retrieval import average_precision
from pstl.provenance import git_hash
from pstl.records import Result
from pstl.tasks import knn, retrieval
from pstl.train.hardware import device_name, peak_memory

WIDTH, CLASSES = 256, 120  # PSTL's features, NTU-120's classes
CHECKED = 64  # queries that a plain loop answers, too
COMPARED, ROUNDS = 2000, 3  # queries at most, and rounds, of ours and theirs in turn
BLOCK = 256  # queries that others answer at once
NOISE = 4.0  # of a feature about the mean of its class, in units of what means differ by
TASKS = {"knn": knn, "retrieval": retrieval}


def bench_search(
    gallery: int, queries: int, device: torch.device, tasks: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """One row per task, each measured in a process of its own.

    {task, gallery, queries, width, seconds, cpu_seconds, before_mb, peak_mb, agrees, against, ...}
    before_mb: memory with features (inputs_mb) and libraries loaded, and CHECKED queries answered.
    agrees: whether the answers to these are those of a plain loop.
    against, ratio: what else answers the question, and its processor seconds for each of ours, on
    COMPARED queries and a processor.
    Raises: UserError for an unknown task, or a size below 1.
    """
    if min(gallery, queries) < 1 or set(tasks or ()) - set(TASKS):
        raise UserError(
            f"search: expected at least one clip and query, and tasks among {', '.join(TASKS)}"
        )
    rows = []
    for task in tasks or TASKS:
        job = measured_apart("benchmarks.search", [task, gallery, queries, str(device)])
        if job.returncode:
            raise UserError(
                f"search by {task} stopped with code {job.returncode}; its message stands above"
            )
        rows.append(json.loads(job.stdout.splitlines()[-1]))
    return rows


def measure(task: str, gallery: int, queries: int, device_text: str) -> dict[str, Any]:
    """One task on random features of overlapping classes."""
    device = torch.device(device_text)
    features = made_up(gallery, queries)
    few = first_queries(features, CHECKED)
    few_result = search(task, few, device)  # also what is loaded once
    before, began, used = peak_memory(device), time.perf_counter(), time.process_time()
    result = search(task, features, device)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - used
    plain = by_loop(few)
    agrees = abs(few_result.metrics["top1" if task == "knn" else "map"] - plain[task]) < 1e-9
    against, ratio = compared(task, features) if device.type == "cpu" else ("", None)
    return {
        "task": task,
        "gallery": gallery,
        "queries": queries,
        "width": WIDTH,
        "classes": CLASSES,
        "device": device_name(device),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "inputs_mb": (features.train.nbytes + features.test.nbytes) / 2**20,
        "before_mb": before,
        "peak_mb": peak_memory(device),
        "agrees": agrees,
        "checked": len(few.test),
        "against": against,
        "ratio": ratio,
        "metrics": result.metrics,
        "threads": torch.get_num_threads(),
        "git": git_hash(),
    }


def search(task: str, features: FeatureSet, device: torch.device) -> Result:
    """One of TASKS with its usual settings."""
    module = TASKS[task]
    result: Result = module.TASK.run(features, module.Config(), 0, device)
    return result


def first_queries(features: FeatureSet, count: int) -> FeatureSet:
    """The same gallery with so many queries at most."""
    sides = {name: getattr(features, name)[:count] for name in ("test", "y_test", "unseen")}
    return replace(features, **sides)


def compared(task: str, features: FeatureSet) -> tuple[str, float]:
    """What else answers the same question, and its processor seconds for each of ours.

    The median of some rounds, both in turn.
    """
    name, theirs = other_search() if task == "knn" else ("values sorted in float64", sorted_values)
    few = first_queries(features, COMPARED)
    ratios = []
    for _ in range(ROUNDS):
        began = time.process_time()
        theirs(few)
        between = time.process_time()
        search(task, few, torch.device("cpu"))
        ratios.append((between - began) / (time.process_time() - between))
    return name, statistics.median(ratios)


def other_search() -> tuple[str, Callable[[FeatureSet], np.ndarray]]:
    """Nearest neighbours in float32, inexact: faiss where it is installed, else a product."""
    try:
        import faiss
    except ImportError:
        return "a product in float32", by_product
    faiss.omp_set_num_threads(torch.get_num_threads())

    def search(features: FeatureSet) -> np.ndarray:
        index = faiss.IndexFlatIP(features.train.shape[1])
        index.add(directions(features.train, np.float32))
        numbers: np.ndarray = index.search(directions(features.test, np.float32), 1)[1]
        return numbers[:, 0]

    return "faiss, flat, float32", search


def by_product(features: FeatureSet) -> np.ndarray:
    """(Q,) nearest neighbours, as far as float32 can tell."""
    gallery, queries = directions(features.train, np.float32), directions(features.test, np.float32)
    blocks = range(0, len(queries), BLOCK)
    nearest = [(queries[i : i + BLOCK] @ gallery.T).argmax(1) for i in blocks]
    return np.concatenate(nearest)


def sorted_values(features: FeatureSet) -> float:
    """Mean average precision in percent.

    Similarities are sorted, and those of the query's class are looked up among them.
    """
    gallery, queries = directions(features.train, np.float64), directions(features.test, np.float64)
    members = {}
    for label in np.unique(features.y_test).tolist():
        members[label] = np.flatnonzero(features.y_train == label)
    precisions = []
    for start in range(0, len(queries), BLOCK):
        near = queries[start : start + BLOCK] @ gallery.T
        labels = features.y_test[start : start + BLOCK].tolist()
        for row, values, label in zip(near, np.sort(near, axis=1), labels, strict=True):
            hits = np.sort(row[members[label]])[::-1]
            rank = len(values) + 1 - np.searchsorted(values, hits, side="right")
            precision = np.arange(1, len(rank) + 1) / rank
            precisions.append(precision.mean() if len(rank) else 0.0)
    return 100 * float(np.mean(precisions))


def directions(x: np.ndarray, kind: type) -> np.ndarray:
    """Rows (N, D) of length 1."""
    x = x.astype(kind)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def by_loop(features: FeatureSet) -> dict[str, float]:
    """The definitions, query by query, in percent.

    Top-1 of knn with k = 1, and the mean average precision of retrieval.
    """
    unit = [directions(side, np.float64) for side in (features.train, features.test)]
    right, precisions = [], []
    for query, label in zip(unit[1], features.y_test, strict=True):
        hits = features.y_train[np.argsort(-(unit[0] @ query), kind="stable")] == label
        right.append(bool(hits[0]))
        precisions.append(float(average_precision(torch.from_numpy(hits)[None])))
    return {"knn": 100 * float(np.mean(right)), "retrieval": 100 * float(np.mean(precisions))}


def made_up(gallery: int, queries: int) -> FeatureSet:
    """Features around a mean per class, so far apart that some queries are answered right."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(CLASSES, WIDTH)).astype(np.float32)
    y, y_test = np.arange(gallery) % CLASSES, np.arange(queries) % CLASSES
    train = rng.standard_normal((gallery, WIDTH), np.float32) * NOISE + means[y]
    test = rng.standard_normal((queries, WIDTH), np.float32) * NOISE + means[y_test]
    names = [str(number) for number in range(CLASSES)]
    return FeatureSet(train, test, y, y_test, np.ones(queries, bool), {"classes": names})


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as text."""
    lines = []
    for row in rows:
        clips = f"{row['queries']:,} queries in {row['gallery']:,} clips"
        cost = f"{row['seconds']:,.1f} s ({row['cpu_seconds']:,.1f} s of processor)"
        beyond = f"{row['peak_mb'] - row['before_mb']:,.0f} beyond {row['before_mb']:,.0f} before"
        agrees = "as" if row["agrees"] else "NOT AS"
        line = f"{row['task']}: {clips} of {row['width']} features, {row['device']}: {cost}, "
        line += f"peak {row['peak_mb']:,.0f} MiB, {beyond}; "
        line += f"{agrees} a plain loop on {row['checked']} queries"
        if row["ratio"]:
            line += f"; {row['ratio']:.2f} times as fast as {row['against']}"
        lines.append(line + "\n")
    return "".join(lines)
