import json
import math
from pathlib import Path

import numpy as np
import pytest
from fabricated import params
from sklearn.metrics import confusion_matrix, f1_score

from pstl import cli, paths
from pstl.config import Cell
from pstl.errors import UserError
from pstl.report import confusion, paired


def scores(right: np.ndarray, y: np.ndarray, classes: int = 3) -> np.ndarray:
    """Scores whose best class is the true one where `right`, else the next one."""
    return np.eye(classes)[np.where(right, y, (y + 1) % classes)]


def store(cell: Cell, right: np.ndarray, y: np.ndarray) -> None:
    path = Path(paths.scores(cell))
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, scores=scores(right, y), y=y)


def test_the_interval_is_the_one_of_paired_differences() -> None:
    """Only clips that the two disagree on count.

    60 against 40 of 1,000 is 2 +- 1.96 sqrt(0.1 - 0.02^2) / sqrt(1000) in theory.
    """
    right = np.zeros((2, 1, 1000), bool)
    right[0, 0, :60] = right[1, 0, 60:100] = True
    right[:, 0, 100:700] = True
    found = paired.bootstrap(right[0], right[1])
    half = 196 * math.sqrt((0.1 - 0.02**2) / 1000)
    assert (found.difference, found.clips) == (pytest.approx(2), 1000)
    assert (found.low, found.high) == (
        pytest.approx(2 - half, abs=0.15),
        pytest.approx(2 + half, abs=0.15),
    )
    assert found.p == pytest.approx(math.erfc(2 / (half / 1.96) / math.sqrt(2)), abs=0.01)
    assert found.better == "a"
    assert paired.bootstrap(right[1], right[0]).better == "b"


def test_equal_predictions_are_never_told_apart() -> None:
    """A method is not better than itself, however many clips there are."""
    right = np.random.default_rng(0).random((1, 5000)) < 0.7
    found = paired.bootstrap(right, right)
    assert (found.difference, found.low, found.high, found.p, found.better) == (
        0,
        0,
        0,
        1,
        "undecided",
    )


def test_seeds_that_disagree_make_a_difference_uncertain() -> None:
    """Two methods on 2,000 clips, each with one lucky and one unlucky seed.

    Sure within a seed, unsure over seeds.
    """
    rng = np.random.default_rng(1)
    a, b = (np.stack([rng.random(2000) < p for p in levels]) for levels in ((0.9, 0.5), (0.8, 0.4)))
    assert paired.bootstrap(a[:1], b[:1]).better == "a"
    assert paired.bootstrap(a, b).better == "undecided"


def test_the_command_takes_cells_seeds_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """What one asks before a sentence like "a beats b" goes into a paper."""
    monkeypatch.chdir(tmp_path)
    rng, y = np.random.default_rng(0), np.random.default_rng(1).integers(0, 3, 400)
    for cell in params().cells("tiny"):
        if cell.task == "linear" and not cell.fused:
            store(cell, rng.random(400) < (0.8 if cell.run.method == "pstl" else 0.5), y)
    a, b = (
        "tiny/ntu60/xsub/pstl/joint/s*/released/linear",
        "tiny/ntu60/xsub/raw/joint/s0/released/linear",
    )
    cli.main(["compare", a, b, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["better"], found["seeds_a"], found["seeds_b"], found["clips"]) == ("a", 3, 1, 400)
    assert found["low"] < found["difference"] < found["high"]
    cli.main(
        ["compare", b, "results/tiny/runs/ntu60/xsub/pstl/joint/s1/released/linear.scores.npz"]
    )
    alone = "with one seed on a side this says nothing about other seeds"
    said = capsys.readouterr().out
    assert f"s1/released/linear.scores.npz is better; {alone}" in said
    np.savez(tmp_path / "other.npz", scores=scores(y == y, y)[:300], y=y[:300])
    for wrong, message in (
        (str(tmp_path / "other.npz"), "scores of 300 test clips that are not the 400"),
        ("tiny/linear", "expected a .scores.npz file or suite/dataset"),
        ("tiny/ntu60/xsub/none/joint/s*/released/linear", "run the task first"),
        ("tiny/ntu60/xsub/pstl/joint/s9/released/linear", "no such file"),
    ):
        with pytest.raises(UserError, match=message):
            paired.compare(b, wrong)


def test_per_class_and_confusion_are_scikit_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mean hides the class that is never recognised."""
    monkeypatch.chdir(tmp_path)
    cell = params().cells("tiny")[0]
    rng = np.random.default_rng(0)
    y, points = rng.integers(0, 4, 80), rng.normal(size=(80, 5))
    path = Path(paths.scores(cell))
    path.parent.mkdir(parents=True)
    np.savez(path, scores=points, y=y)
    found = confusion.matrices(confusion.read_scores([cell]))
    (matrix, _, seeds) = next(iter(found.values()))
    assert np.array_equal(matrix, confusion_matrix(y, points.argmax(1), labels=range(5)))
    assert seeds == 1
    lines = [line.split(",") for line in confusion.per_class_csv(found).splitlines()[1:]]
    assert [float(line[-1]) for line in lines] == pytest.approx(
        100 * f1_score(y, points.argmax(1), average=None, labels=range(4)), abs=1e-3
    )
    assert [float(line[-2]) for line in lines] == pytest.approx(
        [100 * (points.argmax(1) == y)[y == c].mean() for c in range(4)], abs=1e-3
    )
    assert (
        sum(int(line.rsplit(",", 1)[1]) for line in confusion.confusion_csv(found).splitlines()[1:])
        == 80
    )


def test_cells_that_were_not_computed_alike_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where threads or processor differ, a small difference may be theirs alone."""
    monkeypatch.chdir(tmp_path)
    y = np.arange(30) % 3
    cells = params().cells("tiny")[:2]
    for cell, threads in zip(cells, ("1", "encoder 8, task 1"), strict=True):
        store(cell, y == y, y)
        row = {"precision": "fp32", "device": "cpu", "torch": "2.13.0", "threads": threads}
        Path(paths.metrics(cell)).write_text(json.dumps({"rows": [row]}))
    names = [paths.scores(cell) for cell in cells]
    cli.main(["compare", *names, "--draws", "10"])
    assert capsys.readouterr().out.endswith(
        "not computed alike, threads: a 1; b encoder 8, task 1\n"
    )
    cli.main(["compare", names[0], names[0], "--draws", "10"])
    assert "not computed alike" not in capsys.readouterr().out
