"""Which numbers of a run are its scores in MLflow: those of the tables' headline, few and named."""

from dataclasses import dataclass

from pstl.config import Params
from pstl.report import rows as report
from pstl.report import summary
from pstl.report.compare import KEY, compare
from pstl.report.rows import Row


@dataclass(frozen=True)
class Scores:
    """names: KEY of rows -> the metric's name.   says: data set, name -> what the number is."""

    names: dict[tuple[str, ...], str]
    says: dict[tuple[str, str], str]

    def of_datasets(self) -> dict[str, dict[str, str]]:
        """Data set -> what each of its scores is."""
        datasets: dict[str, dict[str, str]] = {}
        for (dataset, name), what in self.says.items():
            datasets.setdefault(dataset, {})[name] = what
        return datasets

    def of(self, rows: list[Row]) -> dict[str, float]:
        """The scores among these rows of one run."""
        scores: dict[str, float] = {}
        for row in rows:
            name = self.names.get(tuple(row[field] for field in KEY), "")
            if name and row["value"] is not None:
                scores[name] = row["value"]
        return scores


def headline(params: Params, suite: str) -> Scores:
    """The scores of a suite: one for each task and setting, floors included.

    Raises: UserError for a results file that cannot be read, or rows of different data.
    """
    return of_rows(report.from_files(params, suite).rows)


def of_rows(rows: list[Row]) -> Scores:
    """The same of a suite's rows. Raises: UserError for rows of different data."""
    names: dict[tuple[str, ...], str] = {}
    says: dict[tuple[str, str], str] = {}
    for line, name in summary.scores(summary.judged(compare(rows, []))):
        names[tuple(getattr(line, field) for field in KEY)] = name
        says[line.dataset, name] = summary.said_of(line)
    return Scores(names, says)
