"""The results of one suite, read once and set beside the published numbers."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pstl.config import Cell, Params
from pstl.report import colours, floors, paper, rows
from pstl.report.compare import compare
from pstl.report.confusion import Scored, read_scores
from pstl.report.paper import Published
from pstl.report.rows import Results
from pstl.report.tables import Line

Source = Literal["files", "mlflow"]


@dataclass(frozen=True)
class Joined:
    """What tables and page are made of.

    published: every published number there is.   lines: ours beside them, in the order of the grid.
    """

    params: Params
    suite: str
    results: Results
    published: list[Published]
    lines: list[Line]

    @property
    def cells(self) -> list[Cell]:
        """Cells of the suite."""
        return self.params.cells(self.suite)

    @cached_property
    def scored(self) -> list[Scored]:
        """Class scores of the cells that have a file of them, whatever the rows come from."""
        return read_scores(self.cells)

    @cached_property
    def looks(self) -> dict[str, colours.Look]:
        """Method, and what stands in its place -> how it looks in every picture of the suite."""
        return looks_of(self.lines, self.params)


def looks_of(lines: list[Line], params: Params) -> dict[str, colours.Look]:
    """Method, and what stands in its place -> how it looks."""
    chosen = colours.looks((line.method for line in lines), params.methods)
    beaten = [line for line in lines if line.rival]
    beside = {line.method for line in beaten}
    rivals = colours.rivals((line.rival for line in beaten), (chosen[name] for name in beside))
    return chosen | rivals


def read(params: Params, suite: str, source: Source = "files", uri: str = "") -> Joined:
    """Rows, runs and curves of a suite, joined with the published numbers.

    source: "files" reads what the jobs wrote under results/, "mlflow" the tracking store `uri`.
    Raises: UserError for a results file or a published number that cannot be read.
    """
    if source == "mlflow":
        from pstl.tracking.reading import results_from_mlflow

        results = results_from_mlflow(params, suite, uri)
    else:
        results = rows.from_files(params, suite)
    published = paper.load()
    compared, floors_of = params.compared(suite), floors.beside(params, suite)
    lines = compare(results.rows, published, compared, floors_of)
    return Joined(params, suite, results, published, lines)
