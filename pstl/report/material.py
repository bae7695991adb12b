"""What the page of a suite is made of."""

from dataclasses import dataclass
from functools import cached_property

from pstl.config import Cell, Params, takes_labels
from pstl.report import facts, flags, gains, joined, paired, tables, tested
from pstl.report.colours import Look
from pstl.report.confusion import Scored
from pstl.report.findings import headline_pairs
from pstl.report.flags import Flags
from pstl.report.gains import Gain
from pstl.report.paired import Pair
from pstl.report.paper import Published
from pstl.report.rows import Results
from pstl.report.tables import Line
from pstl.report.tested import Tested


@dataclass(frozen=True)
class Material:
    """Of a suite that was run here, or of kept tables, which have no runs, scores and cells.

    facts: names and values, where everything comes from.   lines: ours beside the published
    numbers, in the order of the grid.   cells: all of the suite.   scored: class scores of those of
    the headline.   pairs: paired tests of headlines, floors among them.   leader: the best against
    all others.   labelled: methods that learn from labels.   looks: of
    methods in pictures.
    """

    suite: str
    summary: str
    facts: dict[str, str]
    lines: list[Line]
    published: list[Published]
    results: Results
    cells: list[Cell]
    scored: list[Scored]
    pairs: list[Pair]
    leader: list[Pair]
    tested: Tested
    labelled: set[str]
    looks: dict[str, Look]

    @cached_property
    def gains(self) -> dict[Line, Gain]:
        """How far lines are above their floors."""
        return gains.gains(self.lines, self.pairs, self.tested)

    @cached_property
    def flags(self) -> Flags:
        """What must be known of the numbers of lines."""
        return flags.flags(self.lines, self.tested)

    @cached_property
    def headline_cells(self) -> list[Cell]:
        """Cells of each method's headline batch-norm state, in the order of the grid."""
        return headline_cells(self.cells)


def of_runs(params: Params, suite: str) -> Material:
    """Of what the jobs of a suite wrote under results/.

    Raises: UserError for a results file or a published number that cannot be read.
    """
    everything = joined.read(params, suite)
    chosen = set(headline_cells(everything.cells))
    scored = [each for each in everything.scored if each.cell in chosen]
    pairs, kinds = paired.pairs(scored, params.floors(suite)), params.floor_kinds(suite)
    return Material(
        suite,
        params.suite_named(suite).summary,
        facts.facts(everything),
        everything.lines,
        everything.published,
        everything.results,
        everything.cells,
        scored,
        headline_pairs(pairs, tables.headlines(everything.lines)),
        paired.leader(each for each in scored if not kinds[each.cell.run.method]),
        tested.of_scores(everything.scored),
        labelled(params, suite, everything.lines),
        everything.looks,
    )


def labelled(params: Params, suite: str, lines: list[Line]) -> set[str]:
    """Methods of lines that learn from labels, by today's settings."""
    learnt = {line.method for line in lines if not line.floor}
    today = learnt & params.entries(suite).methods.keys()
    return {name for name in today if takes_labels(params.method(suite, name))}


def headline_cells(cells: list[Cell]) -> list[Cell]:
    """Cells of each method's headline batch-norm state, in grid order."""
    norms: dict[tuple[str, str, str], set[str]] = {}
    for cell in cells:
        norms.setdefault(_method_of(cell), set()).add(cell.batch_norm)
    headline = {}
    for key, of_key in norms.items():
        headline[key] = tables.HEADLINE if tables.HEADLINE in of_key else min(of_key)
    return [cell for cell in cells if cell.batch_norm == headline[_method_of(cell)]]


def _method_of(cell: Cell) -> tuple[str, str, str]:
    return cell.run.dataset, cell.run.split, cell.run.method
