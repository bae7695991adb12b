"""The mean over folds: of all of them, seed by seed, and beside what papers print."""

import statistics
from pathlib import Path

import fabricated
import pytest

from pstl.data.datasets import sbu
from pstl.report import joined, markdown, page
from pstl.report.compare import compare
from pstl.report.folds import with_means
from pstl.report.paper import Published
from pstl.report.rows import FIELDS, NO_WORDS, NOT_RUN, Row
from pstl.report.tables import Line

FOLDS = sbu.DATASET.spec.folds
ACCURACIES = (50.0, 60.0, 70.0, 80.0, 95.0)


def row(split: str, value: float | None, seed: int = 0, **other: str) -> Row:
    cell = dict.fromkeys(FIELDS, "") | NO_WORDS
    cell |= {"task": "linear", "dataset": "sbu", "split": split, "stream": "joint"}
    cell |= {"method": "mamp", "metric": "top1", "value": value, "seed": seed}
    cell |= {"batch_norm": "released", "reason": "" if value is not None else NOT_RUN}
    return {**cell, "data_checksum": split, **other}


def of_folds(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line.split == "folds"]


def test_the_mean_is_of_all_folds_and_its_deviation_of_seeds() -> None:
    """Folds differ by what they test, seeds by chance: a deviation over both would be neither."""
    rows = [row(fold, value) for fold, value in zip(FOLDS, ACCURACIES, strict=True)]
    rows += [row(fold, value + 3, seed=1) for fold, value in zip(FOLDS, ACCURACIES, strict=True)]
    (line,) = of_folds(compare(rows, []))
    assert (line.mean, line.seeds) == (pytest.approx(71 + 1.5), 2)
    assert line.std == pytest.approx(statistics.stdev([71, 74]))
    assert len(compare(rows, [])) == 6  # each fold has its own line, too


def test_a_mean_of_some_folds_is_none() -> None:
    """Without the hardest fold it would be the better method."""
    values = [*ACCURACIES[:-1], None]
    (line,) = of_folds(compare([row(*each) for each in zip(FOLDS, values, strict=True)], []))
    assert (line.mean, line.reason) == (None, NOT_RUN)
    some = [row(fold, 50.0) for fold in FOLDS[:-1]]
    assert with_means(some) == some


def test_splits_that_are_no_folds_are_not_averaged() -> None:
    """Cross-view and cross-subject are two questions."""
    rows = [row(split, 50.0, dataset="ntu60") for split in ("xsub", "xview")]
    rows.append(row("xsub", 40.0, dataset="a set of another day"))
    assert with_means(rows) == rows


def test_the_mean_stands_beside_the_published_one() -> None:
    """Papers print the mean over five folds, and nothing of one fold."""
    theirs = Published(
        "P", "authors", "linear", "sbu", "folds", "joint", "", "MAMP", "top1", 80.2, "last", "", "s"
    )
    lines = compare([row(*each) for each in zip(FOLDS, ACCURACIES, strict=True)], [theirs])
    assert [line.published for line in lines] == [None] * 5 + [80.2]


def test_tables_and_page_have_a_block_of_the_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block without cells of its own must not stop the report of all others."""
    monkeypatch.chdir(tmp_path)
    experiment = {"dataset": "sbu", "splits": list(FOLDS), "methods": ["pstl"], "seeds": [0, 1]}
    settings = fabricated.params({**experiment, "tasks": ["linear", "knn"]})
    fabricated.write_all(settings)
    everything = joined.read(settings, "tiny")
    body = "\n".join(markdown.body(everything.lines, everything.published, {}))
    assert body.count("## sbu, fold") == 6
    assert "## sbu, folds" in body
    page.build(settings, "tiny", "page.html")
    assert "sbu, folds" in Path("page.html").read_text()
