"""What a probe costs: seconds of each task that reads features, on features of a known size."""

import warnings
from typing import Any

import numpy as np
import torch

from benchmarks.methods import clock
from pstl.config import validated
from pstl.encoding.feature_file import FeatureSet
from pstl.provenance import git_hash, versions
from pstl.registry import load as load_plugin
from pstl.rng import numpy_generator
from pstl.tasks import probe
from pstl.train.hardware import device_name

# Task -> the settings it is timed with.
PROBES: dict[str, dict[str, Any]] = {
    "linear": {"epochs": 2},
    "probe": {},
    "knn": {},
    "retrieval": {},
}
TRAIN, TEST, WIDTH, CLASSES = 2000, 1000, 256, 60
NOISE = 3.0  # of a feature about the mean of its class, in units of what means differ by
OTHER = "scikit-learn's LogisticRegressionCV"
OTHER_TOLERANCE = 1e-4  # its own


def bench_probes(device: torch.device) -> list[dict[str, Any]]:
    """One row per probe: {task, device, seconds, train, test, width, classes, epochs, ...}.

    Of the common probe on a CPU, where scikit-learn is installed, also `against`, `ratio` (its
    seconds for each of ours, same clips, folds and strengths) and `top1` of both.
    """
    features = made_up()
    rows = []
    for name, settings in PROBES.items():
        task = load_plugin("tasks", name).TASK
        cfg = validated(task.settings, settings, f"tasks.{name}")
        began = clock(device)
        result = task.run(features, cfg, 0, device)
        row = {
            "task": name,
            "device": device_name(device),
            "seconds": clock(device) - began,
            "train": TRAIN,
            "test": TEST,
            "width": WIDTH,
            "classes": CLASSES,
            "epochs": settings.get("epochs", 1),
            "threads": torch.get_num_threads(),
            "git": git_hash(),
            "versions": versions(),
        }
        if name == "probe" and device.type == "cpu":
            row |= beside_scikit_learn(features, cfg, row["seconds"], result.metrics["top1"])
        rows.append(row)
    return rows


def beside_scikit_learn(
    features: FeatureSet, cfg: probe.Config, seconds: float, top1: float
) -> dict[str, Any]:
    """The same choice and fit by scikit-learn; {} where it is not installed.

    cfg: of the common probe, as are seconds and top1.
    """
    try:
        from sklearn.linear_model import LogisticRegressionCV
    except ImportError:
        return {}
    fold = probe.folds(features.y_train, cfg.folds, numpy_generator(0, "probe"))
    sides = []
    for held_out in range(cfg.folds):
        sides.append((np.flatnonzero(fold != held_out), np.flatnonzero(fold == held_out)))
    began = clock(torch.device("cpu"))
    train = features.train.astype(np.float64)
    mean, deviation = train.mean(0), train.std(0)
    other = LogisticRegressionCV(
        Cs=[1 / (strength * TRAIN) for strength in cfg.strengths],
        cv=sides,
        tol=OTHER_TOLERANCE,
        max_iter=cfg.iterations,
    )
    with warnings.catch_warnings():  # of what its next version will change
        warnings.simplefilter("ignore")
        other.fit((train - mean) / deviation, features.y_train)
    ratio = (clock(torch.device("cpu")) - began) / seconds
    other_top1 = 100 * other.score((features.test - mean) / deviation, features.y_test)
    return {"against": OTHER, "ratio": ratio, "top1": top1, "other_top1": other_top1}


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as text."""
    size = f"{TRAIN:,} training and {TEST:,} test clips, {WIDTH} features, {CLASSES} classes"
    lines = [f"{size}, {rows[0]['device']}:"]
    for row in rows:
        line = f"{row['task']:<12}{row['seconds']:>10.2f} s"
        if row["epochs"] > 1:
            line += f"  {row['epochs']} epochs"
        if "ratio" in row:
            accuracies = f"top-1 {row['top1']:.1f} and {row['other_top1']:.1f} %"
            line += f"  {row['ratio']:.2f} times as fast as {row['against']}; {accuracies}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def made_up() -> FeatureSet:
    """Classes that overlap about as much as those of a pre-trained encoder.

    The features are independent of one another, which those of an encoder are not: the easiest
    case for scikit-learn, which needs the more steps the more they have in common.
    """
    rng = np.random.default_rng(0)
    means = rng.normal(size=(CLASSES, WIDTH))
    y, y_test = np.arange(TRAIN) % CLASSES, np.arange(TEST) % CLASSES
    train = (means[y] + NOISE * rng.normal(size=(TRAIN, WIDTH))).astype(np.float32)
    test = (means[y_test] + NOISE * rng.normal(size=(TEST, WIDTH))).astype(np.float32)
    unseen = np.ones(TEST, bool)
    names = [str(number) for number in range(CLASSES)]
    return FeatureSet(train, test, y, y_test, unseen, {"classes": names})
