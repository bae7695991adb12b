"""What the page of kept tables (results/measured/) is made of."""

from pathlib import Path

from pstl.config import Params
from pstl.report import colours, kept, paired_file, paper, tables, tested
from pstl.report.findings import headline_pairs
from pstl.report.material import Material, labelled
from pstl.report.rows import Results


def of_kept(params: Params, folder: Path) -> Material:
    """Of kept tables: rows.csv, the head of comparison.md and, where there is one, paired.csv.

    Raises: UserError for a folder without such tables.
    """
    tables_, published = kept.read(folder), paper.load()
    lines = tables_.lines(params, published)
    headlined = tables.headlines(lines)
    pairs = headline_pairs(paired_file.read(folder / "paired.csv"), headlined)
    today = tables_.suite in params.suites
    return Material(
        tables_.suite,
        tables_.summary,
        {**tables_.facts, "kept in": str(folder)},
        lines,
        published,
        Results(tables_.rows, {}, {}),
        [],
        [],
        pairs,
        [],
        tested.of_pairs(pairs),
        labelled(params, tables_.suite, lines) if today else set(),
        colours.looks((line.method for line in lines), params.methods),
    )
