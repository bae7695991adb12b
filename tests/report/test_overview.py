"""The first screen: matrix, gains, flags and findings."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fabricated import METHOD, write_cell, write_no_sense, write_run
from settings_files import settings_of

from pstl import paths
from pstl.config import FUSED, Params
from pstl.evaluation import scores
from pstl.evaluation.cell import named
from pstl.evaluation.scores import Scores
from pstl.report import document, findings, gains, material, matrix, overview
from pstl.report.interval import Interval, over_clips
from pstl.report.paired import Pair, bootstrap

TOP1 = {"pstl": 70, "skeletonbt": 40, "raw.resize50": 50, "untrained.pstl": 20,
        "untrained.skeletonbt": 20}  # fmt: skip
CLIPS = 400


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def settings(*methods: str, **block: Any) -> Params:
    """One seed, each method beside its floors."""
    names = methods or ("pstl", "skeletonbt")
    experiment = {
        "dataset": "synthetic", "splits": ["xsub"], "methods": list(names),
        "batch_norm": ["released"], "tasks": ["linear"], **block,
    }  # fmt: skip
    suite = {"summary": "invented numbers", "floors": True, "experiments": [experiment]}
    entries = {name: {"method": "pstl", **METHOD} for name in names}
    content = {"suite": "tiny", "methods": entries, "tasks": {"linear": {}}}
    return settings_of({**content, "suites": {"tiny": suite}})


def write(params: Params, top1: dict[str, int], clips: int = CLIPS) -> None:
    """Cells with scores that are right on so many percent of the clips; wrong on others' clips."""
    y = np.arange(clips) % 12
    for run in params.runs("tiny"):
        write_run(run)
    for number, cell in enumerate(params.cells("tiny")):
        write_cell(cell, {"top1": float(top1[cell.run.method])})
        right = (np.arange(clips) * 7 + number) % 100 < top1[cell.run.method]
        points = np.eye(12)[np.where(right, y, (y + 1) % 12)]
        about = {**named(cell), "data_checksum": "c", "run_id": "r", "clips": "x"}
        scores.write(Path(paths.scores(cell)), Scores(points, y, np.ones(clips, bool), about))


def first_screen(params: Params) -> overview.Overview:
    return overview.overview(material.of_runs(params, "tiny"))


def test_the_matrix_has_the_best_in_bold_and_the_gain_over_the_stronger_floor() -> None:
    """A number alone does not say whether anything was learnt."""
    params = settings()
    write(params, TOP1)
    shown = first_screen(params)
    rows = {row.name: row.entries[0] for row in shown.matrix.rows}
    assert list(rows) == ["pstl, joint", "skeletonbt, joint"]  # floors are the ground, not rows
    best, below = rows.values()
    assert (best.best, below.best) == (True, False)
    assert (best.shade, below.shade) == (4, -3)  # 70 - 50 and 40 - 50
    assert "+20.0 over coordinates" in best.about
    span = over_clips(70.0, CLIPS)
    assert best.span == f"{span.low:.1f}–{span.high:.1f}"
    assert best.flags == []
    assert any("Every number is of one seed" in words for words in shown.words)
    assert shown.picture is not None
    assert [point.value for point in shown.picture.points] == [20.0, -10.0]
    assert "A tour on simulated recordings" in shown.sentence


def test_fused_scores_stand_in_the_picture_beside_their_streams() -> None:
    """The best row of the matrix was missing where the gains are drawn."""
    params = settings()
    write(params, TOP1)
    content = material.of_runs(params, "tiny")
    shown = matrix.shown(content.lines)
    fused = replace(shown[0], stream=FUSED, setting="two streams")
    content.gains[fused] = content.gains[shown[0]]
    drawn = overview.picture([fused, *shown], content)
    assert drawn is not None
    assert sorted(point.name for point in drawn.points) == [
        "pstl, fused", "pstl, joint", "skeletonbt, joint",
    ]  # fmt: skip


def test_what_was_not_run_and_what_makes_no_sense_stand_in_the_matrix() -> None:
    """An empty cell reads as "nobody asked"."""
    params = settings()
    write(params, TOP1)
    first, second = [cell for cell in params.cells("tiny") if "." not in cell.run.method]
    write_no_sense(first, "no <weights>")
    Path(paths.metrics(second)).unlink()
    shown = first_screen(params)
    entries = {row.name.split(",")[0]: row.entries[0] for row in shown.matrix.rows}
    assert entries[first.run.method].text == "n/a"
    assert entries[second.run.method].text == "not run"
    assert any("no <weights>" in words for words in shown.legend)
    assert "no &lt;weights&gt;" in document.page("t", [shown])


def test_a_suite_without_results_says_so() -> None:
    """Whoever opens the page early must not take silence for a result."""
    shown = first_screen(settings())
    assert {entry.text for row in shown.matrix.rows for entry in row.entries} == {"not run"}
    assert shown.findings.sentences == [findings.NOTHING]
    assert shown.picture is None
    assert "not run" in document.page("t", [shown])


def test_few_clips_chance_and_a_class_never_predicted_are_flagged() -> None:
    """33.3 with one class predicted looks like a third of the way to 100."""
    params = settings()
    write(params, {**TOP1, "pstl": 8}, clips=40)
    for cell in params.cells("tiny"):
        if cell.run.method == "pstl":
            said = scores.read(Path(paths.scores(cell)))
            one = np.zeros_like(said.points)
            one[:, 3] = 1
            scores.write(Path(paths.scores(cell)), Scores(one, said.y, said.unseen, said.about))
    rows = {row.name: row.entries[0] for row in first_screen(params).matrix.rows}
    names = [flag.name for flag in rows["pstl, joint"].flags]
    assert names == ["at chance", "class never predicted", "few clips"]
    assert [flag.name for flag in rows["skeletonbt, joint"].flags] == ["few clips"]


def test_norm_states_that_disagree_are_flagged() -> None:
    """86.7 in one state and 33.3 in the other is no property of the method."""
    params = settings(batch_norm=["released", "recalibrated"])
    write(params, TOP1)
    for cell in params.cells("tiny"):
        if cell.run.method == "pstl" and cell.batch_norm == "recalibrated":
            write_cell(cell, {"top1": 50.0})
    rows = {row.name: row.entries[0] for row in first_screen(params).matrix.rows}
    assert "norms apart" in [flag.name for flag in rows["pstl, joint"].flags]
    assert "norms apart" not in [flag.name for flag in rows["skeletonbt, joint"].flags]


def pair(a: str, b: str, right_a: float, right_b: float, clips: int = 400) -> Pair:
    """Two methods that are right on so many of the clips, as independent as can be."""
    rng = np.random.default_rng(len(a) + 7 * len(b))
    right = [(rng.random((1, clips)) < share) for share in (right_a, right_b)]
    return Pair("nwucla", "xview", "probe", "", "", "joint", "released", a, b, bootstrap(*right))


class Kind:
    """As much of a line as findings need."""

    def __init__(self, encoder: str, floor: str) -> None:
        self.encoder, self.floor = encoder, floor


KINDS: Any = [Kind("raw", "raw"), Kind("untrained", "untrained")]


def test_findings_say_only_what_the_tests_support() -> None:
    """A leader that is not told apart from the next one is no winner."""
    apart = [pair("good", "bad", 0.9, 0.5), pair("good", "raw", 0.9, 0.7),
             pair("good", "untrained", 0.9, 0.6), pair("raw", "bad", 0.7, 0.5),
             pair("untrained", "bad", 0.6, 0.5)]  # fmt: skip
    (best, pays, below), how = findings.findings(apart, KINDS)
    assert "good is highest" in best
    assert "better than the other; bad is" in best
    assert pays.startswith("Pre-training pays for 1 of 2, above both floors: good")
    assert below.startswith("Below a floor are 1 of 2: bad, joint (-")
    assert how == [findings.HOW, findings.ONE_SEED]
    alike = [pair("good", "bad", 0.6, 0.6), pair("good", "raw", 0.6, 0.6)]
    first, second = findings.findings(alike, KINDS).sentences
    assert first.endswith("but not told apart from bad.")
    assert second.startswith("Pre-training does not pay")


def test_one_of_twenty_is_not_a_finding() -> None:
    """Of forty methods that are all alike, two are told apart by chance at 5 % each."""
    alike = []
    for number in range(40):
        made = pair(f"m{number:02}{'x' * number}", "raw", 0.5, 0.5)
        alike.append(made)
    assert any(made.verdict.better != "undecided" for made in alike)  # that is what is corrected
    (pays,) = findings.findings(alike, KINDS).sentences
    assert pays.startswith("Pre-training does not pay")


def test_hundreds_of_tests_can_still_find_something() -> None:
    """Ten thousand draws tell no p below 0.0002, and three hundred tests ask for one."""
    clear = pair("good", "raw", 0.9, 0.5)
    many = [clear._replace(a=f"good{number}") for number in range(300)]
    (pays,) = findings.findings(many, KINDS).sentences
    assert "for 300 of 300" in pays


def test_folds_are_shown_by_their_mean() -> None:
    """Five columns of a task are read as five tasks."""
    params = settings(dataset="sbu", splits=["fold1", "fold2", "fold3", "fold4", "fold5"])
    for cell in params.cells("tiny"):
        write_cell(cell, {"top1": 50.0})
    assert [name for name, _ in first_screen(params).matrix.splits] == ["sbu, folds"]


def test_methods_that_see_labels_are_not_pre_trained() -> None:
    """Supervised training above its floors says nothing about pre-training."""
    apart = [pair("supervised", "raw", 0.9, 0.5), pair("supervised", "bad", 0.9, 0.5)]
    said = findings.findings(apart, KINDS, labelled={"supervised"})
    assert not any("re-training" in sentence for sentence in said.sentences)


def test_the_interval_of_a_gain_without_scores_is_newcombe_s() -> None:
    """His own example, 56 of 70 against 48 of 80: 0.2, 95 % interval 0.0524 to 0.3339."""
    a, b = over_clips(80.0, 70), over_clips(60.0, 80)
    low, high, _ = gains.minus(80.0, a, 60.0, b)
    assert (low, high) == (pytest.approx(5.24, abs=0.01), pytest.approx(33.39, abs=0.01))
    assert gains.minus(80.0, Interval(80, 80, ""), 60.0, Interval(60, 60, ""))[:2] == (20, 20)
