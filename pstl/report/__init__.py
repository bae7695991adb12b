"""Tables and pictures of one suite: ours, theirs, and the difference."""

from pathlib import Path
from typing import Literal

from pstl.config import Params
from pstl.files import write_json, write_text

Source = Literal["files", "mlflow"]


def build(
    params: Params, suite: str, out: str | Path, source: Source = "files", uri: str = ""
) -> None:
    """Write rows.csv, comparison.csv, comparison.md, summary.json, and curves, accuracy, settings and labels as .png to `out`.


    Also per_class.csv, confusion.csv and paired.csv, which need the stored test scores, whatever `source` is.
    source: "files" reads what the jobs wrote under results/, "mlflow" what was imported into the tracking store `uri`, with equal tables.
    What was not run is missing from no table: it is there as "not run". The same inputs give the same bytes.
    Raises: UserError for a metrics file or a published number that cannot be read.
    """
    from pstl.report import confusion, markdown, paired, paper, plots, rows, shares, tables

    out, published = Path(out), paper.load()
    if source == "mlflow":
        from pstl import tracking

        results = tracking.results_from_mlflow(params, suite, uri)
    else:
        results = rows.from_files(params, suite)
    lines = tables.compare(results.rows, published, params.published_tasks(suite))
    cells = params.cells(suite)
    confused = confusion.matrices(cells)
    texts = {
        "rows.csv": tables.rows_csv(results.rows),
        "comparison.csv": tables.comparison_csv(lines),
        "comparison.md": markdown.render(params, suite, results, lines, published),
        "per_class.csv": confusion.per_class_csv(confused),
        "confusion.csv": confusion.confusion_csv(confused),
        "paired.csv": paired.as_csv(paired.pairs(cells, params.together(suite))),
    }
    for name, text in texts.items():  # when everything has been read
        write_text(out / name, text)
    plots.curves(out / "curves.png", results)
    plots.accuracy(out / "accuracy.png", tables.merge_transfers(lines, params.together(suite)))
    plots.settings(out / "settings.png", lines)
    plots.few_labels(out / "labels.png", shares.by_share(lines, shares.seen_labels(results)))
    write_json(out / "summary.json", tables.summary(lines))  # last: whoever sees it sees everything
