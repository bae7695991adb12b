"""The scores of a suite: few, with a name each, the same on the page, in MLflow and for DVC."""

import re

from pstl.config import FUSED, cell_name
from pstl.report import declared
from pstl.report.paper import FOLDS
from pstl.report.tables import Line, has_floors, headlines, main_metrics, unswept

BASELINE = "baseline="  # in a setting: a number that uses no encoder


def judged(lines: list[Line]) -> list[Line]:
    """What each method is judged by: one metric a task, in the headline's state of the norms."""
    metrics = main_metrics(lines)
    for line in lines:
        metrics.setdefault(line.task, line.metric)
    return [line for line in unswept(headlines(lines)) if line.metric == metrics[line.task]]


def answers(lines: list[Line]) -> list[Line]:
    """What judged() gives, without floors where others are beside them.

    There they are the ground that a gain is counted from. Of a data set with folds the mean over
    them.
    """
    shown = judged(lines)
    folded = {line.dataset for line in shown if line.split == FOLDS}
    shown = [line for line in shown if line.dataset not in folded or line.split == FOLDS]
    beside = has_floors([line for line in shown if not line.floor])
    return [line for line in shown if not (beside and line.floor)]


def scores(lines: list[Line]) -> list[tuple[Line, str]]:
    """Lines of judged() that are of encoders, with the names of their tasks: "semi_labels_0.1".

    A task with several settings on a split names them.
    """
    shown = [line for line in lines if BASELINE not in line.setting]
    settings: dict[tuple[str, str, str], set[str]] = {}
    for line in shown:
        if line.stream != FUSED:
            settings.setdefault((line.dataset, line.split, line.task), set()).add(line.setting)
    named = []
    for line in shown:
        share = float(line.labels) if line.labels else None
        parts = [_slug(cell_name(line.task, share, line.source, line.protocol))]
        if len(settings.get((line.dataset, line.split, line.task), set())) > 1:
            parts.append(_slug(line.setting))
        named.append((line, "_".join(parts)))
    return named


def said_of(line: Line) -> str:
    """What a line's number is, in words."""
    metric = declared.metrics().of(line.metric)
    return metric.heading or metric.label or metric.name


def summary(lines: list[Line]) -> dict[str, float]:
    """Means of the first screen: data set/split/method/stream/task -> mean.

    What has no number is left out.
    """
    means = {}
    for line, name in scores(answers(lines)):
        if line.mean is not None:
            place = "/".join((line.dataset, line.split, line.method, line.stream))
            means[f"{place}/{name}"] = round(line.mean, 4)
    return means


def files(means: dict[str, float]) -> dict[str, dict[str, float]]:
    """The summary as one file a method and stream, which `dvc metrics show` makes its rows of.

    Returns: data set/split/method/stream.json -> task -> mean.
    """
    files: dict[str, dict[str, float]] = {}
    for name, mean in means.items():
        place, _, task = name.rpartition("/")
        files.setdefault(f"{place}.json", {})[task] = mean
    return files


def _slug(words: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "_", words).strip("_")
