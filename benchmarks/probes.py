"""What a probe costs on the device at hand: seconds of each task that reads features, on features of a known size."""

from typing import Any

import numpy as np
import torch

from benchmarks.methods import clock
from pstl.config import validated
from pstl.encoding.feature_file import FeatureSet
from pstl.provenance import git_hash, versions
from pstl.registry import load as load_plugin
from pstl.train.hardware import device_name

PROBES = {
    "linear": {"epochs": 2},
    "probe": {},
    "knn": {},
    "retrieval": {},
}  # with the settings they are timed with
TRAIN, TEST, WIDTH, CLASSES = 2000, 1000, 256, 60


def bench_probes(device: torch.device) -> list[dict[str, Any]]:
    """One row per probe: {task, device, seconds, train, test, width, classes, epochs}. Features are noise around a mean per class."""
    features = _features()
    rows = []
    for name, settings in PROBES.items():
        task = load_plugin("tasks", name).TASK
        cfg = validated(task.settings, settings, f"tasks.{name}")
        began = clock(device)
        task.run(features, cfg, 0, device)
        rows.append(
            {
                "task": name, "device": device_name(device), "seconds": clock(device) - began,
                "train": TRAIN, "test": TEST, "width": WIDTH, "classes": CLASSES, "epochs": settings.get("epochs", 1),
                "threads": torch.get_num_threads(), "git": git_hash(), "versions": versions(),
            }
        )  # fmt: skip
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as text."""
    size = f"{TRAIN:,} training and {TEST:,} test clips, {WIDTH} features, {CLASSES} classes"
    lines = [
        f"{row['task']:<12}{row['seconds']:>10.2f} s"
        + f"  {row['epochs']} epochs" * (row["epochs"] > 1)
        for row in rows
    ]
    return "\n".join([f"{size}, {rows[0]['device']}:", *lines]) + "\n"


def _features() -> FeatureSet:
    """Classes that overlap about as much as those of a pre-trained encoder."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(CLASSES, WIDTH))
    y, y_test = np.arange(TRAIN) % CLASSES, np.arange(TEST) % CLASSES
    train, test = (
        (means[each] + 3 * rng.normal(size=(len(each), WIDTH))).astype(np.float32)
        for each in (y, y_test)
    )
    return FeatureSet(
        train, test, y, y_test, np.ones(TEST, bool), {"classes": [str(i) for i in range(CLASSES)]}
    )
