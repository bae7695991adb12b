"""Is one cell better than another? A paired bootstrap over test clips, and over seeds."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain, combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pstl import paths
from pstl.config import Cell, Run
from pstl.errors import UserError
from pstl.evaluation import scores
from pstl.evaluation.scores import Scores
from pstl.records import FLOORS
from pstl.report import rows
from pstl.report.confusion import Scored
from pstl.report.labels import from_source, share_label, share_text
from pstl.rng import numpy_generator

DRAWS = 10_000
NOT_RECORDED = "not recorded"
ROUNDING = 1e-9  # points; a difference below is none
# What two cells must share to be compared; recipes, and so arrays, may differ.
SAME = ("dataset", "split", "clips")


class Verdict(NamedTuple):
    """Accuracies in percent.

    difference: a minus b, in points; low, high: its 95 % interval.   p: two-sided, of no
    difference.   better: "a" or "b" where the interval leaves out 0, else "undecided".
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


# dataset, split, task, labels, protocol, stream, batch norm
Group = tuple[str, str, str, str, str, str, str]
Floors = Mapping[Cell, Mapping[str, Cell]]


class Pair(NamedTuple):
    """Two methods on the same test clips; a is the more accurate one."""

    dataset: str
    split: str
    task: str
    labels: str
    protocol: str
    stream: str
    batch_norm: str
    a: str
    b: str
    verdict: Verdict


def bootstrap(right_a: np.ndarray, right_b: np.ndarray, draws: int = DRAWS) -> Verdict:
    """Resample clips, the same for both, and the seeds of each.

    So it says what other test clips and other seeds would have said.
    right_a, right_b: (seeds, N) bool, whether each clip was classified right.
    With one seed a side, nothing is said about other seeds; with two or three, less than there is
    to say: few seeds know little.
    """
    clips, seeds_a, seeds_b = right_a.shape[1], len(right_a), len(right_b)
    rng = numpy_generator(0, "paired bootstrap")
    # Clips that were right for the same seeds are interchangeable, so what is drawn is how many of
    # each kind there are.
    both = np.concatenate([right_a, right_b])
    kinds, counts = np.unique(both, axis=1, return_counts=True)
    clips_drawn = rng.multinomial(clips, counts / clips, size=draws)  # (draws, kinds)
    accuracy = clips_drawn @ kinds.T / clips  # (draws, seeds of a + seeds of b)
    mean_a = (accuracy[:, :seeds_a] * _seed_weights(seeds_a, draws, rng)).sum(1)
    mean_b = (accuracy[:, seeds_a:] * _seed_weights(seeds_b, draws, rng)).sum(1)
    differences = 100 * (mean_a - mean_b)
    low, high = np.percentile(differences, [2.5, 97.5])
    # What is 0 but for rounding counts on both sides.
    below = int((differences <= ROUNDING).sum())
    above = int((differences >= -ROUNDING).sum())
    p = min(1.0, 2 * (1 + min(below, above)) / (1 + draws))
    better = "undecided"
    if low > ROUNDING:
        better = "a"
    if high < -ROUNDING:
        better = "b"
    a, b = 100 * float(right_a.mean()), 100 * float(right_b.mean())
    return Verdict(a, b, a - b, float(low), float(high), p, better, clips, seeds_a, seeds_b)


def _seed_weights(seeds: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """How often each seed is drawn, as a share (draws, seeds)."""
    return rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws) / seeds


def compare(a: str, b: str, draws: int = DRAWS) -> Verdict:
    """Two cells as the command line names them.

    A scores file, or suite/dataset/split/method/stream/s<seed>/batch_norm/task; `s*` in place of a
    seed takes every seed there is.
    Raises: UserError for a cell without scores, or other test clips.
    """
    sides = {}
    for name in (a, b):
        sides[name] = [_read_class_scores(path) for path in _files(name)]
    first = sides[a][0]
    for name, files in sides.items():
        for other in files:
            if difference := scores.difference(other, first, SAME):
                raise UserError(
                    f"{name}: scores of {len(other.y)} test clips that are not the "
                    f"{len(first.y)} of {a} ({difference}); only the same clips can be compared"
                )
    return bootstrap(_right(sides[a]), _right(sides[b]), draws)


def computed_otherwise(a: str, b: str) -> dict[str, tuple[str, str]]:
    """What may change last digits and differs between two cells: column -> what each says.

    Empty where no rows lie beside the scores, as of scores that somebody copied.
    """
    said: list[dict[str, set[str]]] = []
    for name in (a, b):
        columns: dict[str, set[str]] = {column: set() for column in rows.MACHINE}
        for path in _files(name):
            file = path.with_name(path.name.replace(".scores.npz", ".json"))
            for row in (rows.read_results(file) or {}).get("rows", [])[:1]:
                for column in rows.MACHINE:
                    columns[column].add(str(row.get(column, "")))
        said.append(columns)
    apart = {}
    for column in rows.MACHINE:
        first, second = (", ".join(sorted(each[column])) or NOT_RECORDED for each in said)
        if first != second:
            apart[column] = (first, second)
    return apart


def text(a: str, b: str, verdict: Verdict, apart: Mapping[str, tuple[str, str]]) -> str:
    """A verdict as lines to read.   apart: as from computed_otherwise()."""
    sentences = {
        "a": f"{a} is better",
        "b": f"{b} is better",
        "undecided": "these clips and seeds do not tell which is better",
    }
    conclusion = sentences[verdict.better]
    if min(verdict.seeds_a, verdict.seeds_b) == 1:
        conclusion += "; with one seed on a side this says nothing about other seeds"
    not_alike = "".join(
        f"not computed alike, {column}: a {first}; b {second}\n"
        for column, (first, second) in apart.items()
    )
    interval = f"95 % interval {verdict.low:+.2f} to {verdict.high:+.2f}"
    return (
        f"a  {verdict.accuracy_a:6.2f} %  {a}  (seeds: {verdict.seeds_a})\n"
        f"b  {verdict.accuracy_b:6.2f} %  {b}  (seeds: {verdict.seeds_b})\n"
        f"a - b: {verdict.difference:+.2f} points, {interval}, p = {verdict.p:.4f}, "
        f"{verdict.clips} clips\n{conclusion}\n{not_alike}"
    )


def pairs(scored: Iterable[Scored], floors: Floors | None = None) -> list[Pair]:
    """Every two methods with one data set, split, task, stream, batch norm and the same clips.

    Methods that learnt from other shares of the labels, or from other data, are methods apart.
    floors: cell -> kind -> its floor. A floor is compared with those whose floor it is, whatever
    the state of its batch norms, and with nobody else.
    """
    groups: dict[Group, dict[str, list[Scored]]] = defaultdict(dict)
    by_cell = {each.cell: each for each in scored if each.classes}
    floors = floors or {}
    for cell, each in by_cell.items():
        groups[_group(cell)].setdefault(_name(cell), []).append(each)
    among_floors = {floor for beside in floors.values() for floor in beside.values()}
    table = []
    for key, methods in groups.items():
        rivals = [name for name, all_ in methods.items() if all_[0].cell not in among_floors]
        for names in combinations(rivals, 2):
            table += _compared(key, {name: methods[name] for name in names})
        for name in rivals:
            for kind in FLOORS:
                own = [floors.get(each.cell, {}).get(kind) for each in methods[name]]
                beside = [by_cell[floor] for floor in dict.fromkeys(own) if floor in by_cell]
                if beside:
                    floor_name = _name(beside[0].cell, is_floor=True)
                    table += _compared(key, {name: methods[name], floor_name: beside})
    return table


def leader(scored: Iterable[Scored]) -> list[Pair]:
    """The best against every other one where most are compared, whatever the stream and the norms.

    scored: of methods that learn, in the one state of the batch norms that each is known by.
    The streams stand in the names.
    """
    tasks: dict[Group, dict[str, list[Scored]]] = defaultdict(dict)
    for each in scored:
        if each.classes:
            dataset, split, task, labels, protocol, _, _ = _group(each.cell)
            name = f"{_name(each.cell)}, {each.cell.run.stream}"
            key = dataset, split, task, labels, protocol, "", ""
            tasks[key].setdefault(name, []).append(each)
    if not tasks:
        return []
    key = max(tasks, key=lambda task: len(tasks[task]))
    rivals = tasks[key]
    means = {}
    for name, seeds in rivals.items():
        means[name] = np.mean([each.right.mean() for each in seeds])
    best = max(rivals, key=lambda name: means[name])
    table = []
    for name in rivals:
        if name != best:
            table += _compared(key, {best: rivals[best], name: rivals[name]})
    return table


def _group(cell: Cell) -> Group:
    run = cell.run
    axes = (cell.task, share_text(cell.labels), cell.protocol)
    return run.dataset, run.split, *axes, run.stream, cell.batch_norm


def _name(cell: Cell, is_floor: bool = False) -> str:
    """A method, with the share of labels and the data that it has learnt from."""
    name = cell.run.method
    if cell.run.labels:
        name += f" {share_label(share_text(cell.run.labels))}"
    return from_source(name, cell.source, is_floor)


def _compared(key: Group, pair: dict[str, list[Scored]]) -> list[Pair]:
    """The verdict on two methods; none where they are of other clips."""
    if not _same_clips(list(chain(*pair.values()))):
        return []
    right = {}
    for name, seeds in pair.items():
        right[name] = np.stack([each.right for each in seeds])
    a, b = sorted(right, key=lambda name: -right[name].mean())
    return [Pair(*key, a, b, bootstrap(right[a], right[b]))]


def _same_clips(scored: list[Scored]) -> bool:
    first = scored[0].clips
    return not any(scores.difference(said.clips, first, SAME) for said in scored)


def _files(name: str) -> list[Path]:
    """Scores files of one side."""
    if name.endswith(".npz"):
        return [Path(name)]
    parts = name.strip("/").split("/")
    if len(parts) not in (8, 9):
        raise UserError(
            f"{name}: expected a .scores.npz file or "
            "suite/dataset/split/method/stream/s<seed>/batch_norm/task, "
            "e.g. nwucla/nwucla/xview/pstl/joint/s0/recalibrated/linear; s* takes every seed"
        )
    *place, seed, batch_norm, task = parts
    run = Run.parse("/".join([*place, "s0" if seed == "s*" else seed]))
    path = Path(paths.scores(Cell(run, batch_norm, task)))
    if seed != "s*":
        return [path]
    folder = path.parents[2]
    files = sorted(folder.glob(f"s*/{batch_norm}/{path.name}"))
    if not files:
        raise UserError(f"{name}: no scores under {folder}; run the task first")
    return files


def _read_class_scores(path: Path) -> Scores:
    said = scores.read(path)
    if not said.points.size:
        raise UserError(
            f"{path}: holds no class scores: this task does not classify, "
            "or makes no sense for this method"
        )
    return said


def _right(files: Iterable[Scores]) -> np.ndarray:
    """(seeds, N) bool, whether each clip was classified right."""
    return np.stack([said.points.argmax(1) == said.y for said in files])
