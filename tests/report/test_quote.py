import csv
import shutil
from pathlib import Path

import pytest

from pstl import config
from pstl.errors import UserError
from pstl.report import quote
from pstl.report.rebuild import rebuild
from pstl.report.rows import FIELDS
from pstl.report.tables import COLUMNS

ROOT = Path(__file__).parents[2]
MEASURED = sorted(path.parent for path in ROOT.glob("results/measured/*/rows.csv"))
OURS = ("mean", "std", "low", "high", "seeds", "seeds_asked", "reason")

WRONG = [{"value": "nan"}.get(name, "") for name in FIELDS]


@pytest.fixture(scope="module")
def params() -> config.Params:
    return config.load(ROOT / "params.yaml")


def copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to / folder.name, ignore=shutil.ignore_patterns("*.png", "trace*"))
    return to / folder.name


@pytest.mark.parametrize("folder", MEASURED, ids=lambda folder: folder.name)
def test_kept_tables_follow_from_the_rows_beside_them(
    folder: Path, tmp_path: Path, params: config.Params
) -> None:
    """The pages quote these tables: one that is not made of its rows is a number somebody typed."""
    copy = copied(folder, tmp_path)
    rebuild(params, copy)
    assert (copy / "comparison.csv").read_text() == (folder / "comparison.csv").read_text()


def test_a_rebuild_keeps_what_the_rows_do_not_hold(tmp_path: Path, params: config.Params) -> None:
    """Versions, machine and wall time were noted by runs that are not kept.

    A rebuild must not lose them, nor touch a mean.
    """
    copy = copied(ROOT / "results/measured/nwucla-cpu", tmp_path)
    head = (copy / "comparison.md").read_text().partition("\n## ")[0]
    before = list(csv.DictReader((copy / "comparison.csv").read_text().splitlines()))
    (copy / "comparison.md").write_text(f"{head}\n## an old table\n")
    (copy / "comparison.csv").write_text("of an older format\n")
    rebuild(params, copy)
    page = (copy / "comparison.md").read_text()
    assert page.startswith(f"{head}\n## nwucla, xview\n")
    assert "an old table" not in page
    assert "### Published" in page
    after = list(csv.DictReader((copy / "comparison.csv").read_text().splitlines()))
    assert [[line[name] for name in OURS] for line in after] == [
        [line[name] for name in OURS] for line in before
    ]


def test_few_labels_are_there_again_although_no_run_is_kept(
    tmp_path: Path, params: config.Params
) -> None:
    """The share of labels of psp_05 stands in its run.json, which is not kept, and in its settings,
    which are.
    """
    copy = copied(ROOT / "results/measured/nwucla-semi-cpu", tmp_path)
    before = few_labels(copy)
    rebuild(params, copy)
    assert few_labels(copy) == before
    assert any(row.startswith("| psp | 61.6 ± 3.7 (5) |") for row in before)


def few_labels(folder: Path) -> list[str]:
    """Rows of the table of few labels."""
    above = (
        (folder / "comparison.md")
        .read_text()
        .partition("### Headline")[0]
        .partition("### Few labels")[2]
    )
    return [row for row in above.splitlines() if row.startswith("|")]


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("rows.csv", None, "rows.csv: no such file"),
        ("rows.csv", "a,b\n1,2\n", "rows.csv: not a table"),
        ("rows.csv", "", "rows.csv: not a table"),
        ("rows.csv", f"{','.join(FIELDS)}\n{','.join(WRONG)}\n", "row 1: value 'nan'"),
        ("comparison.md", None, "comparison.md: no such file"),
        ("comparison.md", "# Something else\n", "comparison.md: expected"),
    ],
)
def test_a_folder_that_cannot_be_rebuilt_stays_as_it_is(
    tmp_path: Path, params: config.Params, name: str, text: str | None, named: str
) -> None:
    """Half a rebuild would leave a table of one day beside a page of another."""
    copy = copied(ROOT / "results/measured/cmu-prediction-cpu", tmp_path)
    table = (copy / "comparison.csv").read_text()
    if text is None:
        (copy / name).unlink()
    else:
        (copy / name).write_text(text)
    with pytest.raises(UserError, match=named):
        rebuild(params, copy)
    assert (copy / "comparison.csv").read_text() == table


def test_a_table_of_an_older_format_says_how_to_renew_it(tmp_path: Path) -> None:
    """Its "difference" was of unlike numbers: reading it on in silence would quote it."""
    (tmp_path / "comparison.csv").write_text(
        "dataset,split,task,difference\nnwucla,xview,linear,-1\n"
    )
    with pytest.raises(UserError, match="pstl rebuild"):
        quote.chosen_lines(tmp_path, {})


def quoted(tmp_path: Path, **cells: str) -> str:
    line = dict.fromkeys(COLUMNS, "") | {
        "dataset": "ntu60", "split": "xsub", "task": "linear", "batch_norm": "recalibrated",
        "method": "pstl", "stream": "joint",
        "metric": "top1", "mean": "63.0", "seeds": "1", "seeds_asked": "1", "published": "-",
        "mean_minus_published": "-",
        "like": "-", "like_minus_published": "-", "source": "-", **cells,
    }  # fmt: skip
    with open(tmp_path / "comparison.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerow(line)
    return quote.table(quote.chosen_lines(tmp_path, {}))


def test_a_quoted_table_says_what_is_subtracted_from_what(tmp_path: Path) -> None:
    """Pages are read far from the file: the two differences need their names there too."""
    theirs = {
        "published": "77.3",
        "published_kind": "best",
        "like": "61.0",
        "mean_minus_published": "-14.3",
        "like_minus_published": "-16.3",
    }
    head, _, row = quoted(tmp_path, **theirs).splitlines()
    assert head.endswith("| ours | seeds | published | ours − published | like for like |")
    assert row.endswith("| 63.0 | 1 | 77.3 (best epoch) | -14.3 | -16.3 |")
    guess = {
        **theirs,
        "assumed": "stream",
        "like": "-",
        "mean_minus_published": "-",
        "like_minus_published": "-",
    }
    assert quoted(tmp_path, **guess).endswith("| 77.3 ? (best epoch) | - | - |")
    assert "published" not in quoted(tmp_path)
