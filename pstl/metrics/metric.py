"""How a number is named in rows and printed in tables. Free of torch.

A task declares every metric that it reports (`Task.metrics`), and the report reads the
declarations:
a new metric is one entry in the file of its task.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

UNSEEN = "_unseen"  # ends a metric's name on the test clips that repeat no training clip


@dataclass(frozen=True)
class Metric:
    """One metric, or a family of them that differ in one number.

    name: as in rows; `{}` stands for the number of a family: `r{}` is r1, r5 and r10.
    label: head of its column; empty: its name.
    title: a sentence for the head of a table of this metric; only a metric with a title can be
    what a task is judged by (the first such metric in its rows).
    unit: of the number; empty for percent, which tables say once.
    decimals: digits after the point in tables.
    higher_is_better: False for errors.
    share_of_clips: the percentage of test clips that are right, so that the interval over clips
    holds.
    unseen_shown: whether its figure on unseen test clips is a column of its own.
    over: what the number of a family is, e.g. "overlap": an axis of charts.
    """

    name: str
    label: str = ""
    title: str = ""
    unit: str = ""
    decimals: int = 1
    higher_is_better: bool = True
    share_of_clips: bool = False
    unseen_shown: bool = False
    over: str = ""

    def matches(self, name: str) -> bool:
        """Whether a name in a row is this metric's, or one of its family."""
        return self._pattern.fullmatch(name) is not None

    def number(self, name: str) -> float | None:
        """The number of one of a family; None for a single metric."""
        found = self._pattern.fullmatch(name)
        return float(found[1]) if found and found.groups() else None

    def text(self, value: float, sign: str = "") -> str:
        """A value as tables print it.   sign: "+" for differences."""
        return f"{value:{sign}.{self.decimals}f}"

    @property
    def percent(self) -> bool:
        """Whether its values are percentages, and so between 0 and 100."""
        return not self.unit

    @property
    def heading(self) -> str:
        """The title, and which way is better where that is not the usual one."""
        return self.title if self.higher_is_better else f"{self.title}, less is better"

    @property
    def _pattern(self) -> re.Pattern[str]:
        front, family, end = self.name.partition("{}")
        number = r"(\d+(?:\.\d+)?)" if family else ""
        return re.compile(re.escape(front) + number + re.escape(end))


class Metrics:
    """The declared metrics of several tasks, found by the names that stand in rows."""

    def __init__(self, declared: Mapping[str, Iterable[Metric]]) -> None:
        """declared: task kind -> its metrics.

        Raises: ValueError if two tasks declare one name differently, or a name fits two metrics.
        """
        self._by_name: dict[str, Metric] = {}
        for kind, metrics in declared.items():
            for metric in metrics:
                other = self._by_name.setdefault(metric.name, metric)
                if other != metric:
                    message = f"task {kind}: declares the metric {metric.name!r} otherwise than"
                    raise ValueError(f"{message} another task does; give it a name of its own")

    def __iter__(self) -> Iterator[Metric]:
        return iter(self._by_name.values())

    def find(self, name: str) -> Metric | None:
        """The declaration of a name in a row, or of its figure on unseen clips; None if unknown."""
        name = name.removesuffix(UNSEEN)
        exact = self._by_name.get(name)
        if exact is not None:
            return exact
        return next((metric for metric in self if metric.matches(name)), None)

    def of(self, name: str) -> Metric:
        """The same; a metric that no task declares any more, of old rows, is printed plainly."""
        return self.find(name) or Metric(name.removesuffix(UNSEEN))

    def position(self, name: str) -> tuple[int, bool]:
        """Where a metric's column stands: as declared, its figure on unseen clips beside it."""
        order = list(self._by_name)
        metric = self.find(name)
        return order.index(metric.name) if metric else len(order), name.endswith(UNSEEN)

    def label(self, name: str) -> str:
        """What stands at the head of a column."""
        metric = self.of(name)
        base = metric.label or name.removesuffix(UNSEEN)
        return base + (", unseen" if name.endswith(UNSEEN) else "")

    def main(self, names: Iterable[str]) -> Metric | None:
        """What a task is judged by: the first metric in its rows that has a title."""
        exact = (self._by_name.get(name) for name in names)
        return next((metric for metric in exact if metric and metric.title), None)
