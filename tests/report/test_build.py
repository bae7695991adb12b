import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from fabricated import FLOOR, GRID, params, run_id, write_all, write_cell, write_no_sense, write_run

from pstl import paths
from pstl.config import Params
from pstl.report import paper
from pstl.report.build import build

FILES = {
    "rows.csv",
    "comparison.csv",
    "comparison.md",
    "summary.json",
    "metrics",
    "per_class.csv",
    "confusion.csv",
    "paired.csv",
    "curves.png",
    "accuracy.png",
    "settings.png",
    "labels.png",
    "moved.png",
    "cost.png",
}


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def built(settings: Params, out: str = "tables", suite: str = "tiny") -> str:
    """The page, without its numbers' footnotes."""
    build(settings, suite, out)
    return Path(out, "comparison.md").read_text()


def test_the_same_results_give_the_same_bytes() -> None:
    """Otherwise every second look at the results would be a change for git, DVC and Snakemake."""
    settings = params()
    write_all(settings)
    built(settings, "first")
    built(settings, "second")
    assert {path.name for path in Path("first").iterdir()} == FILES
    sums = [
        {
            path.relative_to(d): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in Path(d).rglob("*")
            if path.is_file()
        }
        for d in ("first", "second")
    ]
    assert sums[0] == sums[1]


def test_every_number_can_be_traced(tmp_path: Path) -> None:
    """rows.csv has one line per measured number with its run.

    The means of comparison.csv follow from it.
    """
    settings = params()
    write_all(settings)
    built(settings)
    rows = list(csv.DictReader(Path("tables/rows.csv").read_text().splitlines()))
    lines = list(csv.DictReader(Path("tables/comparison.csv").read_text().splitlines()))
    assert all(row["run_id"] and row["git"] and row["data_checksum"] for row in rows)
    for line in lines:
        own = [
            float(r["value"])
            for r in rows
            if all(
                r[k] == line[k]
                for k in ("task", "setting", "batch_norm", "method", "stream", "metric")
            )
        ]
        assert int(line["seeds"]) == len(own)
        assert float(line["mean"]) == pytest.approx(sum(own) / len(own), abs=5e-5)


def test_the_page_says_where_its_numbers_come_from() -> None:
    """A table without commit, data, versions and command cannot be repeated."""
    settings = params()
    write_all(settings)
    page = built(settings)
    runs = len(settings.runs("tiny"))
    for fact in (
        "`snakemake --cores all`",
        "0123456789ab",
        "ntu60 " + "c" * 16,
        "torch 2.13.0",
        "cpu",
        f"on {runs} of {runs} encoders",
    ):
        assert fact in page
    # 10 runs of 12.25 s, 3 x 2 x (3 x 2 + 1) + 2 = 44 cells of 1.5 s, each counted once although it
    # has several rows
    assert "188 s: 122 s of pre-training, 66 s of tasks" in page


def test_a_suite_that_is_not_the_default_is_named_in_the_command() -> None:
    """The command has to run this suite, not the one a plain call runs."""
    settings = replace(params(), suite="another")
    assert "`snakemake --cores all --config suite=tiny`" in built(settings)


def test_the_headline_shows_ours_theirs_and_the_difference() -> None:
    """What people look at first is the recalibrated last epoch, beside the paper's number."""
    settings = params(
        {**GRID, "streams": ["joint"], "seeds": [0, 1, 2], "tasks": ["linear"], "fuse": None}
    )
    for cell in settings.cells("tiny"):
        shift = 0 if cell.batch_norm == "recalibrated" else 9
        write_cell(
            cell,
            {"top1": (60, 62, 67)[cell.run.seed] - shift, "top5": 90.0, "top1_best": 70.0 - shift},
        )
    page = built(settings)
    assert (
        "| method | linear, joint |\n| --- | --- |\n| pstl | 63.0 ± 3.6 (3) |\n"
        "| *published* | 77.3 [^1] |\n"
        "| *ours − published* | -14.3 |\n| *like for like* | -16.3 |\n"
    ) in page
    assert (
        "*like for like*: ours of the kind theirs is, minus theirs: batch norm as released" in page
    )
    norms = [
        f"{norm}: top1 | {norm}: top1, best epoch | {norm}: top5"
        for norm in ("recalibrated", "released")
    ]
    theirs = "published top1 | ours − published | like for like"
    assert f"| method | stream | {' | '.join(norms)} | {theirs} |" in page
    assert (
        "54.0 ± 3.6 [45.0, 62.7] (3)" in page
    )  # released, beside it, with the interval over seeds: on the scale of log-odds
    assert "[^1]: best epoch; https://github.com/KAIST-VICLab/SOfA (README.md, section " in page


def test_what_was_not_run_is_on_the_page() -> None:
    """A hole in the grid must be visible in the headline, in the details and in the csv."""
    settings = params()
    page = built(settings)
    assert "| pstl | not run | not run | not run | not run |" in page
    assert "0 of 44 evaluated, on 0 of 10 encoders" in page
    lines = list(csv.DictReader(Path("tables/comparison.csv").read_text().splitlines()))
    assert {line["mean"] for line in lines} == {"not run"}
    assert json.loads(Path("tables/summary.json").read_text()) == {}


def test_a_floor_without_recalibrated_numbers_is_marked() -> None:
    """Its headline is the released variant; unmarked it would pass for the other one."""
    settings = params()
    write_all(settings)
    page = built(settings)
    assert "| raw \\* |" in page
    assert "\\* batch norm as released" in page
    assert "| pstl \\* |" not in page


def test_simulated_data_has_no_published_numbers() -> None:
    """Nobody else can have results on our own simulation.

    The page says so instead of showing an empty table.
    """
    settings = params({**FLOOR, "dataset": "synthetic"})
    assert "There are no published numbers" in built(settings)


def test_methods_that_were_not_run_are_cited_with_their_source() -> None:
    """The reader wants the field's numbers on the same page, and where each was printed."""
    page = built(params())
    assert "| linear | top1 |  | SLiM | SLiM (NeurIPS 2026) | epoch not stated | 87.9 [^" in page
    assert "later comparison: https://github.com/KAIST-VICLab/SOfA (README.md, section " in page


def test_a_guess_is_marked_wherever_it_is_shown() -> None:
    """Without a mark a number of unknown stream passes for the cell it was put into."""
    page = built(params({**GRID, "streams": ["joint", "bone", "motion"], "tasks": ["linear"]}))
    assert "| *published* | 77.3 [^1] | - | - | 79.1 ? [^" in page
    assert "]: not stated for both numbers: weights; so nothing is subtracted" in page
    assert "| Hi-TRS | Hi-TRS (ECCV 2022) | one fixed epoch |  |  |  | 90.0 ? [^" in page
    assert "assumed: task, stream, labels, weights; summary page: https://www.wizwand.com" in page


def test_a_suite_nobody_prints_numbers_of_has_no_columns_for_them() -> None:
    """Four columns of dashes push the numbers that there are off the screen."""
    settings = params({**FLOOR, "dataset": "nwucla", "splits": ["xview"]})
    write_all(settings)
    page = built(settings).partition("### Published")[0]
    assert "raw" in page
    assert "published" not in page
    assert "like for like" not in page


def test_no_remembered_number_reaches_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy keeps unverified rows so that nobody looks for them twice.

    Tables must be free of them.
    """
    settings = params(
        {**GRID, "dataset": "ntu120", "splits": ["xsub"]},
        {**GRID, "dataset": "nwucla", "splits": ["xview"]},
    )
    write_all(settings)
    built(settings)
    text = "".join(Path("tables", name).read_text() for name in ("comparison.md", "comparison.csv"))
    assert paper.UNVERIFIED not in text
    lines = list(csv.DictReader(Path("tables/comparison.csv").read_text().splitlines()))
    fused = [
        line["published"]
        for line in lines
        if (line["dataset"], line["stream"], line["metric"]) == ("ntu120", "fused", "top1")
    ]
    assert fused == ["-", "-"]  # 69.2 is what people remember of it


def test_a_late_file_changes_the_table_and_nothing_is_left_behind() -> None:
    """A second report replaces the first; no temporary file stays beside it."""
    settings = params()
    built(settings)
    for run in settings.runs("tiny"):
        write_run(run)
    cell = settings.cells("tiny")[0]
    write_cell(cell, {"top1": 12.5}, run_id=run_id(cell.run))
    assert "12.5 (1 of 3)" in built(settings)
    assert {path.name for path in Path("tables").iterdir()} == FILES


def test_repeated_clips_are_mentioned_where_they_matter() -> None:
    """NW-UCLA's test side holds copies of training clips.

    The number without them needs its own column and its reason.
    """
    settings = params({**FLOOR, "dataset": "nwucla", "splits": ["xview"]}, FLOOR)
    for cell in settings.cells("tiny"):
        write_cell(
            cell, {"top1": 60.0} | ({"top1_unseen": 51.0} if cell.run.dataset == "nwucla" else {})
        )
    nwucla, ntu60 = built(settings).split("## ntu60")
    assert "| released: top1 | released: top1, unseen |" in nwucla
    assert "repeat training clips" in nwucla
    assert "unseen" not in ntu60


def test_a_cell_that_makes_no_sense_says_why_and_is_no_hole() -> None:
    """A reader who takes "makes no sense" for "not run" runs it again and again.

    One who takes it the other way never does.
    """
    settings = params()
    write_all(settings)
    first, second = (c for c in settings.cells("tiny") if c.run.method == "raw")
    write_no_sense(first, "this encoder has no weights to fine-tune")
    Path(paths.metrics(second)).unlink()
    page = built(settings)
    assert "| raw \\* | n/a [^" in page
    assert "]: this encoder has no weights to fine-tune\n" in page
    assert "42 of 44 evaluated, 1 n/a, on" in page
    lines = list(csv.DictReader(Path("tables/comparison.csv").read_text().splitlines()))
    assert {
        (line["task"], line["mean"], line["reason"]) for line in lines if line["method"] == "raw"
    } == {
        (first.task, "n/a", "n/a: this encoder has no weights to fine-tune"),
        (second.task, "not run", "not run"),
    }
    rows = list(csv.DictReader(Path("tables/rows.csv").read_text().splitlines()))
    assert all((row["value"] == "") == (row["reason"] != "") for row in rows)
    assert "/raw/" not in Path("tables/summary.json").read_text()
