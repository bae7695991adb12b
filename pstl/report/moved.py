"""Encoders moved between data sets: for each task a matrix of sources and targets."""

from dataclasses import dataclass

from pstl.records import FLOORS
from pstl.report.labels import task_label
from pstl.report.tables import Line, headlines, main_metrics

Place = str  # dataset/split


@dataclass(frozen=True)
class Matrix:
    """One task of one method and stream.

    lines: (source, target) -> its line; where both are one, the encoder of the target's own clips.
    """

    title: str
    metric: str
    sources: tuple[Place, ...]
    targets: tuple[Place, ...]
    lines: dict[tuple[Place, Place], Line]

    def floor(self, target: Place, kind: str) -> float | None:
        """What a floor of the target's own cell has, raw or untrained."""
        line = self.lines.get((target, target))
        minus = None if line is None else line.minus_floor(kind)
        return None if line is None or line.mean is None or minus is None else line.mean - minus

    @property
    def floors(self) -> list[str]:
        """Kinds of which some target has a number, coordinates first."""
        kinds: list[str] = []
        for kind in FLOORS:
            if any(self.floor(target, kind) is not None for target in self.targets):
                kinds.append(kind)
        return kinds

    def gain(self, source: Place, target: Place) -> float | None:
        """Points over the same network untrained: of the source's body where the suite has it, else
        of the target's.
        """
        line = self.lines.get((source, target))
        if line is None or line.mean is None:
            return None
        if line.mean_minus_untrained is not None:
            return line.mean_minus_untrained
        floor = self.floor(target, "untrained")
        return None if floor is None else line.mean - floor


def matrices(lines: list[Line]) -> list[Matrix]:
    """Every task and method some of whose encoders come from other data, in the order of lines.

    The headline state of the batch norms, the metric that the task is judged by.
    """
    judged = main_metrics(lines)
    groups: dict[tuple[str, ...], dict[tuple[Place, Place], Line]] = {}
    metrics: dict[str, str] = {}
    for line in headlines(lines):
        if line.floor or line.metric != judged.get(line.task):
            continue
        task = task_label(line.task, line.labels, line.protocol)
        target = f"{line.dataset}/{line.split}"
        title = f"{task}: {line.method}, {line.stream}"
        group = groups.setdefault((title, line.setting), {})
        group[line.source or target, target] = line
        metrics[title] = line.metric
    moved = []
    for (title, setting), cells in groups.items():
        if any(line.source for line in cells.values()):
            sources, targets = _axes(cells)
            name = f"{title} ({setting})" if setting else title
            moved.append(Matrix(name, metrics[title], sources, targets, cells))
    return moved


def _axes(cells: dict[tuple[Place, Place], Line]) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
    """Sources and targets; targets in their order, sources that are none behind them."""
    targets = tuple(dict.fromkeys(target for _, target in cells))
    others = dict.fromkeys(source for source, _ in cells)
    sources = [target for target in targets if target in others]
    return (*sources, *(source for source in others if source not in targets)), targets
