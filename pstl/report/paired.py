"""Is one cell better than another? A paired bootstrap over the test clips both were scored on, and over seeds where there are several."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pstl import paths
from pstl.config import Cell, Run
from pstl.errors import UserError
from pstl.evaluation import scores
from pstl.evaluation.scores import Scores
from pstl.report.confusion import read_scores
from pstl.report.tables import from_source
from pstl.report.text import csv_text
from pstl.rng import numpy_generator

DRAWS = 10_000
SAME = (
    "dataset",
    "split",
    "clips",
)  # what two cells must share to be compared; recipes, and so arrays, may differ
HEADER = (
    "dataset", "split", "task", "stream", "batch_norm", "a", "b", "accuracy_a", "accuracy_b",
    "difference", "low", "high", "p", "better", "clips", "seeds_a", "seeds_b",
)  # fmt: skip


class Verdict(NamedTuple):
    """difference: accuracy of a minus that of b, in points; low, high: its 95 % interval.   p: two-sided, of no difference.

    better: "a" or "b" where the interval leaves out 0, else "undecided".
    """

    accuracy_a: float
    accuracy_b: float
    difference: float
    low: float
    high: float
    p: float
    better: str
    clips: int
    seeds_a: int
    seeds_b: int


def bootstrap(right_a: np.ndarray, right_b: np.ndarray, draws: int = DRAWS) -> Verdict:
    """Resample clips, the same for both, and the seeds of each: what other test clips and other seeds would have said.

    right_a: (seeds of a, N) bool, whether each clip was classified right; right_b: (seeds of b, N).
    With one seed a side, nothing is said about other seeds; with two or three, less than there is to say: few seeds know little.
    """
    clips, seeds = right_a.shape[1], (len(right_a), len(right_b))
    rng = numpy_generator(0, "paired bootstrap")
    # Clips that were right for the same seeds are interchangeable, so what is drawn is how many of each kind there are.
    kinds, counts = np.unique(np.concatenate([right_a, right_b]), axis=1, return_counts=True)
    accuracy = (
        rng.multinomial(clips, counts / clips, size=draws) @ kinds.T / clips
    )  # (draws, seeds of a + seeds of b)
    drawn = [
        rng.multinomial(count, np.full(count, 1 / count), size=draws) / count for count in seeds
    ]
    differences = 100 * (
        (accuracy[:, : seeds[0]] * drawn[0]).sum(1) - (accuracy[:, seeds[0] :] * drawn[1]).sum(1)
    )
    low, high = np.percentile(differences, [2.5, 97.5])
    tail = min(
        (differences <= 1e-9).sum(), (differences >= -1e-9).sum()
    )  # what is 0 but for rounding counts on both sides
    p = min(1.0, 2 * (1 + int(tail)) / (1 + draws))
    better = "a" if low > 1e-9 else "b" if high < -1e-9 else "undecided"
    a, b = 100 * float(right_a.mean()), 100 * float(right_b.mean())
    return Verdict(a, b, a - b, float(low), float(high), p, better, clips, *seeds)


def compare(a: str, b: str, draws: int = DRAWS) -> Verdict:
    """Two cells as the command line names them: a scores file, or suite/dataset/split/method/stream/s<seed>/batch_norm/task.

    `s*` in place of a seed takes every seed there is.   Raises: UserError for a cell without scores, or other test clips.
    """
    sides = {name: [_one(path) for path in _files(name)] for name in (a, b)}
    first = sides[a][0]
    for name, files in sides.items():
        for found in files:
            if other := scores.difference(found, first, SAME):
                raise UserError(
                    f"{name}: scores of {len(found.y)} test clips that are not the {len(first.y)} of {a} ({other}); "
                    "only the same clips can be compared"
                )
    right_a, right_b = (_right(sides[name]) for name in (a, b))
    return bootstrap(right_a, right_b, draws)


def text(a: str, b: str, found: Verdict) -> str:
    """A verdict as lines to read."""
    said = {
        "a": f"{a} is better",
        "b": f"{b} is better",
        "undecided": "these clips and seeds do not tell which is better",
    }[found.better]
    alone = (
        ""
        if min(found.seeds_a, found.seeds_b) > 1
        else "; with one seed on a side this says nothing about other seeds"
    )
    return (
        f"a  {found.accuracy_a:6.2f} %  {a}  (seeds: {found.seeds_a})\nb  {found.accuracy_b:6.2f} %  {b}  (seeds: {found.seeds_b})\n"
        f"a - b: {found.difference:+.2f} points, 95 % interval {found.low:+.2f} to {found.high:+.2f}, p = {found.p:.4f}, "
        f"{found.clips} clips\n{said}{alone}\n"
    )


def pairs(
    cells: Iterable[Cell], together: Mapping[str, tuple[str, str]]
) -> list[tuple[tuple[str, ...], str, str, Verdict]]:
    """Every two methods of one data set, split, task, stream and batch norm that were scored on the same test clips.

    together: of Params; a transfer is compared with its like.
    Returns: ((dataset, split, task, stream, batch norm), a, b, verdict), a being the more accurate one.
    """
    groups: dict[tuple[str, ...], dict[str, list[Scores]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        if (found := read_scores(cell)) is not None and found.points.size:
            run, (task, source) = cell.run, together.get(cell.task, (cell.task, ""))
            groups[run.dataset, run.split, task, run.stream, cell.batch_norm][
                from_source(run.method, source)
            ].append(found)
    table = []
    for key, methods in groups.items():
        for one, other in combinations(methods, 2):
            both = [*methods[one], *methods[other]]
            if any(scores.difference(found, both[0], SAME) for found in both):
                continue
            right = {name: _right(methods[name]) for name in (one, other)}
            a, b = sorted((one, other), key=lambda name: -right[name].mean())
            table.append((key, a, b, bootstrap(right[a], right[b])))
    return table


def as_csv(table: list[tuple[tuple[str, ...], str, str, Verdict]]) -> str:
    """One line per pair."""
    lines = []
    for key, a, b, verdict in table:
        numbers = [f"{value:.4f}" if isinstance(value, float) else value for value in verdict]
        lines.append([*key, a, b, *numbers])
    return csv_text(HEADER, lines)


def _files(name: str) -> list[Path]:
    """Scores files of one side."""
    if name.endswith(".npz"):
        return [Path(name)]
    parts = name.strip("/").split("/")
    if len(parts) != 8:
        raise UserError(
            f"{name}: expected a .scores.npz file or suite/dataset/split/method/stream/s<seed>/batch_norm/task, "
            "e.g. nwucla/nwucla/xview/pstl/joint/s0/recalibrated/linear; s* takes every seed"
        )
    every = parts[5] == "s*"
    run = Run.parse("/".join([*parts[:5], "s0" if every else parts[5]]))
    path = Path(paths.scores(run, parts[6], parts[7]))
    folder = path.parents[2]
    found = sorted(folder.glob(f"s*/{parts[6]}/{path.name}")) if every else [path]
    if not found:
        raise UserError(f"{name}: no scores under {folder}; run the task first")
    return found


def _one(path: Path) -> Scores:
    found = scores.read(path)
    if not found.points.size:
        raise UserError(
            f"{path}: holds no class scores: this task does not classify, or makes no sense for this method"
        )
    return found


def _right(files: Iterable[Scores]) -> np.ndarray:
    """(seeds, N) bool, whether each clip was classified right."""
    return np.stack([found.points.argmax(1) == found.y for found in files])
