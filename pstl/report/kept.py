"""Tables of suites where they lie, kept in git or just made: rows and the head of the page."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pstl.config import Compared, Params, comparison_key
from pstl.files import read_text
from pstl.report import floors, rebuild
from pstl.report.compare import compare
from pstl.report.paper import Published
from pstl.report.rows import Row
from pstl.report.tables import Line

KEPT, RUN = "results/measured", "results"  # where tables of suites lie
PAGE = "comparison.md"
FACT = re.compile(r"^\| ([a-z][a-z0-9 ]*) \| (.*) \|$", re.M)


@dataclass(frozen=True)
class Tables:
    """Tables of one suite.

    name: what a reader calls them: the folder of kept ones, the suite of others.
    folder: with rows.csv and comparison.md.   facts: names and values of the page's head.
    """

    name: str
    suite: str
    folder: Path
    summary: str
    facts: dict[str, str]
    rows: list[Row]

    def lines(self, params: Params, published: list[Published]) -> list[Line]:
        """Ours beside these numbers, as today's settings of the suite say what may be compared."""
        today = self.suite in params.suites
        rebuild.name_floors(params, self.suite if today else "", self.rows)
        floors_of = floors.beside(params, self.suite) if today else {}
        compared = params.compared(self.suite) if today else {}
        return compare(self.rows, published, self.compared(compared), floors_of)

    def compared(self, today: Mapping[str, Compared]) -> dict[str, Compared]:
        """What its methods and tasks may be compared with; what is of another day: with nothing.

        today: as params.compared() says of the suite.
        """
        unknown = {_key(row): Compared(row["task"], own=False) for row in self.rows}
        return {**unknown, **today}


def folders(roots: Sequence[Path]) -> list[Path]:
    """Folders with tables below these, by name: ROOT/NAME and ROOT/NAME/tables."""
    places = []
    for root in roots:
        for pattern in ("*/rows.csv", "*/tables/rows.csv"):
            places += [path.parent for path in root.glob(pattern)]
    return sorted(dict.fromkeys(places), key=lambda folder: (folder.parts[:-1], folder.name))


def read(folder: Path) -> Tables:
    """The tables of one folder. Raises: UserError for a folder without rows.csv or its page."""
    rows = rebuild.rows_of(folder)
    page = read_text(folder / PAGE, rebuild.PAGE)
    head, _, _ = page.partition("\n## ")
    facts = {name: text.strip("`").replace("\\|", "|") for name, text in FACT.findall(head)}
    name = folder.parent.name if folder.name == "tables" else folder.name
    summary = head.split("\n\n")[1:2]
    return Tables(
        name,
        rebuild.suite_of(head, folder),
        folder,
        "" if not summary or summary[0].startswith("|") else " ".join(summary[0].split()),
        facts,
        rows,
    )


def _key(row: Row) -> str:
    return comparison_key(row["method"], row["task"], row["source"], row["protocol"])
