"""What a probe costs: seconds of each task that reads features, on features of a known size."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from benchmarks import scikit
from benchmarks.methods import clock
from pstl.config import validated
from pstl.encoding.feature_file import FeatureSet
from pstl.provenance import git_hash, versions
from pstl.registry import load as load_plugin
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
# Four times as many features as clips, as SCD-Net's 4,096 are for NW-UCLA's 1,020.
WIDE, WIDE_CLASSES, WIDE_NOISE = 2048, 10, 9.0


def bench_probes(device: torch.device) -> list[dict[str, Any]]:
    """One row per probe: {task, device, seconds, train, test, width, classes, epochs, ...}.

    Of the common probe on a CPU, where scikit-learn is installed, also `beside`: a row for each of
    three kinds of features (`kind`), of `scikit.beside`.
    """
    features = made_up(Kind(TRAIN, TEST))
    rows = []
    for name, settings in PROBES.items():
        task = load_plugin("tasks", name).TASK
        cfg = validated(task.settings, settings, f"tasks.{name}")
        began = clock(device)
        task.run(features, cfg, 0, device)
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
            row["beside"] = beside_scikit_learn(cfg)
        rows.append(row)
    return rows


def beside_scikit_learn(cfg: probe.Config) -> list[dict[str, Any]]:
    """A row for each kind of features; none where scikit-learn is not installed."""
    rows = []
    for name, kind in kinds().items():
        row = scikit.beside(made_up(kind), cfg)
        if row:
            rows.append({"kind": name} | asdict(kind) | row)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as text."""
    size = f"{TRAIN:,} training and {TEST:,} test clips, {WIDTH} features, {CLASSES} classes"
    lines = [f"{size}, {rows[0]['device']}:"]
    for row in rows:
        line = f"{row['task']:<12}{row['seconds']:>10.2f} s"
        if row["epochs"] > 1:
            line += f"  {row['epochs']} epochs"
        lines.append(line)
        for other in row.get("beside", []):
            lines.append(compared(other))
    return "\n".join(lines) + "\n"


def compared(row: dict[str, Any]) -> str:
    """One kind of features, as text."""
    size = f"{row['train']:,} x {row['width']:,}, {row['classes']} classes"
    speed = f"{row['ratio']:.2f} times as fast as {row['against']} to the same loss"
    seconds = f"{row['seconds']:.2f} and {row['other_seconds']:.2f} s"
    top1 = f"top-1 {row['top1']:.1f} and {row['other_top1']:.1f} %"
    strength = f"L2 {row['l2']:g} and {row['other_l2']:g}"
    return f"  {row['kind']} ({size}): {speed} ({seconds}); {top1}, {strength}"


@dataclass(frozen=True)
class Kind:
    """Features to make up: clips about the mean of their class."""

    train: int
    test: int
    width: int = WIDTH
    classes: int = CLASSES
    noise: float = NOISE
    correlated: bool = False


def kinds() -> dict[str, Kind]:
    """What the common probe is set beside scikit-learn on.

    Features of an encoder have much in common; where they have nothing, scikit-learn needs the
    fewest steps. Wide ones are more than the clips.
    """
    return {
        "independent": Kind(TRAIN, TEST),
        "correlated": Kind(TRAIN, TEST, correlated=True),
        "wide": Kind(TRAIN // 4, TEST // 4, WIDE, WIDE_CLASSES, WIDE_NOISE, correlated=True),
    }


def made_up(kind: Kind) -> FeatureSet:
    """Classes that overlap about as much as those of a pre-trained encoder.

    Correlated features are independent ones, the k-th divided by k, in randomly turned axes.
    """
    rng = np.random.default_rng(0)
    means = rng.normal(size=(kind.classes, kind.width))
    y, y_test = np.arange(kind.train) % kind.classes, np.arange(kind.test) % kind.classes
    sides = []
    for labels in (y, y_test):
        noise = kind.noise * rng.normal(size=(len(labels), kind.width))
        sides.append(means[labels] + noise)
    if kind.correlated:
        axes = np.linalg.qr(rng.normal(size=(kind.width, kind.width)))[0]
        mix = axes / np.arange(1, kind.width + 1)[:, None]
        sides = [side @ mix for side in sides]
    train, test = (side.astype(np.float32) for side in sides)
    names = [str(number) for number in range(kind.classes)]
    return FeatureSet(train, test, y, y_test, np.ones(kind.test, bool), {"classes": names})
