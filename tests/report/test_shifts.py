"""What moved between two tables, and whether that is more than chance."""

import csv
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pstl import cli
from pstl.errors import UserError
from pstl.report import shifts
from pstl.report.rows import FIELDS
from pstl.report.tables import rows_csv

CELL: dict[str, Any] = {
    **dict.fromkeys(FIELDS, ""),
    "task": "knn",
    "dataset": "nwucla",
    "split": "xview",
    "stream": "joint",
    "setting": "k=1;cosine",
    "method": "pstl",
    "metric": "top1",
    "batch_norm": "released",
    "torch": "2.13.0",
    "threads": "1",
    "processor": "AMD EPYC, AVX2",
    "precision": "fp32",
    "floor": "",
    "reason": "",
}  # fmt: skip


def rows(values: list[float], **other: Any) -> list[dict[str, Any]]:
    """Rows of one cell, a seed each."""
    return [{**CELL, **other, "seed": str(seed), "value": v} for seed, v in enumerate(values)]


def verdict(a: list[float], b: list[float], **other: Any) -> shifts.Shift:
    (shift,) = shifts.between("a", rows(a, **other), "b", rows(b, **other)).shared
    return shift


def test_a_difference_is_judged_seed_by_seed() -> None:
    """Seeds that start alike move together: the step tells more than two means with spreads.

    By hand: steps 2, 3, 4; mean 3, deviation 1, t 4.303 of two degrees of freedom over root 3.
    """
    shift = verdict([50.0, 60.0, 70.0], [52.0, 63.0, 74.0])
    assert (shift.verdict, shift.how, shift.difference) == ("better", "seed by seed", 3.0)
    assert (shift.low, shift.high) == (
        pytest.approx(0.516, abs=1e-3),
        pytest.approx(5.484, abs=1e-3),
    )


def test_other_seeds_are_judged_by_welch() -> None:
    """By hand: variances 1 and 1 over 3 and 2 seeds, error 0.9129, 2.18 degrees of freedom."""
    from scipy import stats

    a, b = [50.0, 51.0, 52.0], [60.0, 60.0 + 2**0.5]
    shift = verdict(a, b)
    known = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    assert (shift.low, shift.high) == (pytest.approx(known.low), pytest.approx(known.high))
    assert shift.how == "over the seeds of each"


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([50.0, 60.0], [50.0, 60.0], "the same"),
        ([50.0, 60.0], [50.0, 60.0 + 1e-9], "last digits"),
        ([50.0, 60.0], [60.0, 50.0], "not told apart"),
        ([50.0, 60.0], [59.0, 53.0], "not told apart"),
        ([50.0], [60.0], "too few seeds"),
        ([50.0, 60.0], [55.0], "too few seeds"),
        ([50.0, 60.0], [40.0, 50.0], "worse"),
    ],
)
def test_a_verdict_says_what_is_known(a: list[float], b: list[float], expected: str) -> None:
    """One seed against one says nothing about others, and nothing moved is not a draw."""
    assert verdict(a, b).verdict == expected


def test_an_error_that_grows_is_worse() -> None:
    """Fewer millimetres are better; a table that calls the growth a gain misleads."""
    moved = verdict([50.0, 60.0, 70.0], [52.0, 63.0, 74.0], metric="mpjpe", task="prediction")
    assert moved.verdict == "worse"


def test_what_moves_last_digits_is_said() -> None:
    """Two runs that differ in threads or processor need no other reason to differ a little."""
    b = rows([50.0], threads="encoder 2, task 1", processor="")
    found = shifts.between("a", rows([50.0]), "b", b)
    said = {each.column: (shifts.said(each.a), shifts.said(each.b)) for each in found.differences}
    assert said == {
        "threads": ("1", "encoder 2, task 1"),
        "processor": ("AMD EPYC, AVX2", "not recorded"),
    }
    assert "not computed alike, so last digits may differ: threads, processor" in shifts.text(found)
    alike = shifts.between("a", rows([50.0]), "b", rows([50.0]))
    assert "both were computed alike" in shifts.text(alike)


def written(folder: Path, table: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.csv").write_text(rows_csv(table))
    return folder


def test_two_commits_of_a_kept_table_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an edit of the code did to kept numbers must be seen before it is believed."""
    monkeypatch.chdir(tmp_path)

    def git(*words: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, *words], check=True, capture_output=True)

    git("init")
    written(Path("kept"), rows([50.0, 60.0, 70.0]))
    git("add", ".")
    git("commit", "-m", "one")
    written(Path("kept"), [*rows([52.0, 63.0, 74.0]), *rows([1.0], task="linear")])
    cli.main(["compare", "HEAD:kept", "kept", "--page", "moved.html"])
    said = capsys.readouterr().out
    assert "1 better" in said
    assert "0 cells in a alone, 1 in b alone" in said
    assert "| +3.0 | +0.5 to +5.5 | better |" in said
    assert "+0.5 to +5.5" in Path("moved.html").read_text()
    with pytest.raises(SystemExit) as stop:
        cli.main(["compare", "HEAD~7:kept", "kept"])
    assert stop.value.code == 2
    with pytest.raises(UserError, match="expected COMMIT:FOLDER"):
        shifts.read("--output=x:kept")


def test_names_of_hostile_rows_stay_text(tmp_path: Path) -> None:
    """A table from a stranger is shown, never obeyed: not by a browser, nor by a spreadsheet."""
    hostile = {"method": "<script>alert(1)</script>", "setting": "=cmd()"}
    a = written(tmp_path / "a", rows([1.0, 2.0], **hostile))
    b = written(tmp_path / "b", rows([8.0, 9.0], **hostile))
    cli.main(["compare", str(a), str(b), "--page", str(tmp_path / "p.html")])
    page = (tmp_path / "p.html").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    with (a / "rows.csv").open() as file:
        assert next(csv.DictReader(file))["setting"] == "'=cmd()"
