"""Tables and pictures of one suite: ours, theirs, and the difference."""

from pathlib import Path
from typing import Literal

from pstl.config import Params
from pstl.files import replaced, write_json, write_text
from pstl.report import (
    confusion,
    joined,
    latex,
    markdown,
    paired,
    paired_file,
    plots,
    summary,
    tables,
)


def build(
    params: Params,
    suite: str,
    out: str | Path,
    source: Literal["files", "mlflow"] = "files",
    uri: str = "",
    for_paper: bool = False,
) -> None:
    """Write rows, comparison, per_class, confusion and paired as .csv, comparison.md, summary.json.

    Also the summary as one file a method and stream below metrics/, and curves, accuracy, settings,
    labels, moved and cost as .png.
    source: "files" reads what the jobs wrote under results/, "mlflow" what was imported into the
    tracking store `uri`, with equal tables; class scores are read from files either way.
    for_paper: also what report.latex makes, in the folder latex.
    What was not run is missing from no table: it is there as "not run". The same inputs give the
    same bytes.
    Raises: UserError for a metrics file or a published number that cannot be read.
    """
    out = Path(out)
    suite_results = joined.read(params, suite, source, uri)
    confused = confusion.matrices(suite_results.scored)
    pairs = paired.pairs(suite_results.scored, params.floors(suite))
    texts = {
        "rows.csv": tables.rows_csv(suite_results.results.rows),
        "comparison.csv": tables.comparison_csv(suite_results.lines),
        "comparison.md": markdown.render(suite_results),
        "per_class.csv": confusion.per_class_csv(confused),
        "confusion.csv": confusion.confusion_csv(confused),
        "paired.csv": paired_file.as_csv(pairs),
    }
    for name, text in texts.items():  # when everything has been read
        write_text(out / name, text)
    plots.write_all(suite_results, out)
    if for_paper:
        latex.write_all(suite_results, out / "latex")
    means = summary.summary(suite_results.lines)
    with replaced(out / "metrics") as folder:
        for name, of_file in summary.files(means).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_json(folder / name, of_file)
    # Last: whoever sees it sees everything.
    write_json(out / "summary.json", means)
