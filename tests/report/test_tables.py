import csv
import io
import math
from pathlib import Path
from typing import Any

import pytest
from fabricated import rows_of

from pstl.config import Cell, Compared, Run, comparison_key
from pstl.errors import UserError
from pstl.report import paper, quote
from pstl.report.compare import compare
from pstl.report.paper import Published
from pstl.report.reference import reference
from pstl.report.rows import NOT_RUN, Row
from pstl.report.tables import (
    Line,
    as_shown,
    comparison_csv,
    main_metrics,
    unswept,
)
from pstl.report.text import Notes


def cell(
    method: str = "pstl",
    stream: str = "joint",
    seed: int = 0,
    norm: str = "recalibrated",
    task: str = "linear",
) -> Cell:
    return Cell(
        Run(suite="tiny", dataset="ntu60", split="xsub", method=method, stream=stream, seed=seed),
        norm,
        task,
    )


def measured(*values: float | None, **where: str) -> list[Row]:
    """One row per seed."""
    rows = [
        row
        for seed, value in enumerate(values)
        for row in rows_of(cell(seed=seed, **where), {"top1": value})
    ]  # type: ignore[arg-type, dict-item]
    return [{**row, "reason": NOT_RUN if row["value"] is None else ""} for row in rows]


def printed(value: float, method: str = "PSTL", **other: str) -> Published:
    fields = {
        "task": "linear", "dataset": "ntu60", "split": "xsub", "stream": "joint", "setting": "",
        "metric": "top1",
        "kind": "best", "assumed": "", **other,
    }  # fmt: skip
    return Published(
        paper="P", table="t", method=method, value=value, source=f"source of {value:g}", **fields
    )


def only(lines: list[Line]) -> Line:
    assert len(lines) == 1
    return lines[0]


def test_mean_deviation_and_difference_by_hand() -> None:
    """60, 62, 67: mean 63, squared deviations 9 + 1 + 16 over n - 1 = 2 give sqrt(13).

    63 - 77.3 = -14.3.
    """
    line = only(compare(measured(60, 62, 67), [printed(77.3)]))
    assert line.mean == pytest.approx(63, abs=1e-12)
    assert line.std == pytest.approx(math.sqrt(13), abs=1e-12)
    assert (line.seeds, line.seeds_asked) == (3, 3)
    assert line.published == 77.3
    assert line.mean_minus_published == pytest.approx(-14.3, abs=1e-12)
    assert line.published_source == "source of 77.3"


def test_a_transfer_is_a_row_beside_its_like() -> None:
    """What is asked of a transfer is whether it beats the same task without.

    The two belong into one column.
    """
    moved = [
        {**row, "source": "cmu/standard", "setting": "k=1;cosine"}
        for row in measured(50, task="knn")
    ]
    own = [
        {**row, "setting": "k=1;cosine"} for row in measured(40, task="knn", method="random_init")
    ]
    shown = as_shown(compare(moved + own, []))
    assert [(line.task, line.method, line.setting, line.mean) for line in shown] == [
        ("knn", "pstl from cmu", "k=1;cosine", 50.0),
        ("knn", "random_init", "k=1;cosine", 40.0),
    ]


def test_the_csv_holds_the_interval_over_seeds(tmp_path: Path) -> None:
    """A mean of few seeds is known badly.

    63 with s = sqrt(13), n = 3 and t = 4.303 to 8.957 either way, taken to the scale of log-odds by
    its slope there (63 * 37 / 100); and of one seed not at all.
    """
    lines = compare([*measured(60, 62, 67), *measured(60, stream="bone")], [])
    first, second = csv.DictReader(io.StringIO(comparison_csv(lines)))
    odds, half = 63 / 37, math.exp(8.957 * 100 / (63 * 37))
    low, high = odds / half, odds * half
    assert (float(first["low"]), float(first["high"])) == pytest.approx(
        (100 * low / (1 + low), 100 * high / (1 + high)), abs=1e-3
    )
    assert (second["std"], second["low"], second["high"]) == ("", "", "")
    (tmp_path / "kept.csv").write_text(comparison_csv(lines))
    assert [line.span for line in quote.read(tmp_path / "kept.csv")] == [
        pytest.approx(lines[0].span, abs=1e-3),
        None,
    ]


def test_one_seed_has_no_deviation() -> None:
    """A deviation of 0 for one seed would claim a certainty that nobody measured."""
    line = only(compare(measured(60), []))
    assert (line.mean, line.std, line.seeds) == (60, None, 1)
    assert (line.published, line.mean_minus_published, line.published_source) == (None, None, "")


def test_missing_seeds_are_counted_not_averaged() -> None:
    """A seed that was not run is not a zero, and the reader must see that it is missing."""
    line = only(compare(measured(60, None, 67), []))
    assert (line.mean, line.seeds, line.seeds_asked) == (63.5, 2, 3)


def test_a_cell_that_was_not_run_is_shown_as_missing() -> None:
    """A cell that vanishes from the table is forgotten; theirs stays, the difference does not."""
    line = only(compare(measured(None), [printed(77.3)]))
    assert (line.mean, line.std, line.mean_minus_published, line.published) == (
        None,
        None,
        None,
        77.3,
    )
    assert ",not run,,,,0,1,,-,-,77.3,best,,-,-,-," in comparison_csv([line])


def test_names_match_across_spelling_but_not_across_cells() -> None:
    """The published number must be of this method, stream, task and metric, or there is none."""
    others = [
        printed(1, "SCD-Net"),
        printed(2, stream="bone"),
        printed(3, task="finetune"),
        printed(4, metric="top5"),
        printed(5, dataset="ntu120"),
        printed(6, split="xview"),
        printed(7, setting="labels=0.1"),
    ]
    assert only(compare(measured(60), others)).published is None
    assert only(compare(measured(60), [*others, printed(77.3, "P.S.T.L.")])).published == 77.3


def test_sources_that_disagree_are_both_named() -> None:
    """One number is needed for the difference; the other must not be hidden."""
    line = only(compare(measured(60), [printed(83.8), printed(82.6)]))
    assert line.published == 83.8
    assert line.published_source == "source of 83.8; also 82.6: source of 82.6"


def in_both_norms(**published: str) -> Line:
    """The recalibrated headline of a cell that has both norms, and a best epoch in each, beside
    PSTL's 77.3.
    """
    rows = []
    for seed, shift in ((0, 0.0), (1, 2.0)):
        rows += rows_of(cell(seed=seed), {"top1": 60 + shift, "top1_best": 64 + shift})
        rows += rows_of(
            cell(seed=seed, norm="released"), {"top1": 50 + shift, "top1_best": 70 + shift}
        )
    lines = compare([{**row, "reason": ""} for row in rows], [printed(77.3, **published)])
    return next(
        line for line in lines if (line.batch_norm, line.metric) == ("recalibrated", "top1")
    )


def test_like_is_subtracted_from_like() -> None:
    """Theirs is the best epoch on the test clips with released norms.

    Ours of that kind is 71, and the honest 61 stands beside it.
    """
    line = in_both_norms()
    assert (line.mean, line.mean_minus_published) == (61, pytest.approx(-16.3, abs=1e-12))
    assert (line.like, line.like_minus_published, line.why_not) == (
        71,
        pytest.approx(-6.3, abs=1e-12),
        "",
    )


def test_a_last_epoch_is_compared_with_a_last_epoch() -> None:
    """A paper that did not choose on the test clips must not be held against a number that was."""
    line = in_both_norms(kind="last")
    assert (line.like, line.like_minus_published) == (51, pytest.approx(-26.3, abs=1e-12))


def test_a_fixed_epoch_is_compared_with_the_same_epoch() -> None:
    """Hi-TRS tests epoch 50 of 70: neither our last nor our best is of that kind."""
    rows = [
        *measured(60),
        *({**row, "metric": "top1_epoch_50"} for row in measured(57, norm="released")),
    ]
    line = compare(rows, [printed(77.3, kind="fixed", setting="epoch=50")])[0]
    assert (line.like, line.like_minus_published) == (57, pytest.approx(-20.3, abs=1e-12))


@pytest.mark.parametrize(
    ("published", "why"),
    [
        ({"kind": "unknown"}, "is not known"),
        ({"kind": "fixed"}, "of which epoch"),
        ({"kind": "fixed", "setting": "epoch=40"}, "ours has no top1_epoch_40"),
        ({"metric": "top5"}, ""),
    ],
)
def test_a_number_of_another_kind_gets_no_like(published: dict[str, str], why: str) -> None:
    """Filling the hole with the next best number of ours would be the very fault the column is
    there to end.
    """
    line = in_both_norms(**published)
    assert (line.like, line.like_minus_published) == (None, None)
    assert why in line.why_not
    assert (line.mean_minus_published is None) == (line.published is None)


def test_where_ours_has_no_such_number_it_is_said() -> None:
    """kNN is looked at once, a suite may leave out the released norms, a seed may not have been
    run: each is a reason of its own.
    """
    recalibrated = measured(60, 62)
    assert (
        only(compare(recalibrated, [printed(77.3)])).why_not
        == "ours has no top1_best with batch norm as released here"
    )
    waiting = [
        *recalibrated,
        *measured(None, norm="released"),
        *({**r, "metric": "top1_best"} for r in measured(None, norm="released")),
    ]
    lines = compare(waiting, [printed(77.3)])
    assert lines[0].why_not == "ours, top1_best with batch norm as released: not run"
    assert lines[0].mean_minus_published == pytest.approx(-16.3, abs=1e-12)


def test_both_differences_are_of_the_same_seeds() -> None:
    """With two of three seeds in one state and all in the other, the better of the two differences
    would be one of luck.
    """
    best = [{**row, "metric": "top1_best"} for row in measured(70, None, 71, norm="released")]
    line = compare([*measured(60, 62, 67), *best], [printed(77.3)])[0]
    assert (line.like, line.seeds) == (None, 3)
    assert line.why_not.endswith("run with seeds 0, 2, the number beside it with 0, 1, 2")
    alike = compare([*measured(60, None, 67), *best], [printed(77.3)])[0]
    assert alike.like == pytest.approx(70.5)


@pytest.mark.parametrize("assumed", ["stream", "labels", "split", "task stream labels"])
def test_nothing_is_subtracted_from_a_guess(assumed: str) -> None:
    """A number of another stream or share would make a method look right or wrong by our guess
    alone; it is shown, and marked.
    """
    line = in_both_norms(assumed=assumed)
    assert (line.published, line.assumed, line.comparable) == (77.3, assumed, None)
    assert (line.mean_minus_published, line.like, line.like_minus_published) == (None, None, None)
    assert all(word in line.why_not for word in assumed.split())


def test_no_row_of_the_copy_with_a_guess_is_ever_subtracted() -> None:
    """Whatever cell it stands in, with every number of ours there to be compared."""
    guesses = [p for p in paper.load() if p.assumed]
    assert len(guesses) > 100
    for p in guesses:
        where = {
            "dataset": p.dataset,
            "split": p.split,
            "stream": p.stream,
            "method": p.method,
            "task": p.task,
            "setting": p.setting,
        }
        rows = [
            {**row, **where, "reason": ""}
            for norm in ("recalibrated", "released")
            for row in rows_of(cell(norm=norm), {p.metric: 50.0, f"{p.metric}_best": 51.0})
        ]
        lines = [line for line in compare(rows, [p]) if line.metric == p.metric]
        assert [line.published for line in lines] == [p.value, p.value], p
        assert {
            (line.mean_minus_published, line.like, line.like_minus_published) for line in lines
        } == {(None, None, None)}, p


@pytest.mark.parametrize(
    ("own", "subtracted"),
    [(None, True), (True, True), (False, False)],
)
def test_only_the_protocol_of_their_paper_is_compared(own: bool | None, subtracted: bool) -> None:
    """Probes differ so much that rankings change with them.

    SCD-Net under PSTL's probe is not the number that its paper prints.
    """
    best = [{**row, "metric": "top1_best"} for row in measured(70, norm="released")]
    line = compare(
        [*measured(60), *best],
        [printed(77.3)],
        {comparison_key("pstl", "linear", "", ""): Compared("linear", own)},
    )[0]
    assert line.published == 77.3
    assert (line.mean_minus_published is not None, line.like_minus_published is not None) == (
        subtracted,
        subtracted,
    )
    assert ("does not evaluate as this task" in line.why_not) == (not subtracted)
    assert line.comparable == (77.3 if subtracted else None)


@pytest.mark.parametrize(
    ("ours", "shown", "subtracted"),
    [
        ("ntu60/xsub", True, True),
        ("ntu60/xview", False, False),
        ("ntu120/xsub", False, False),
        ("ntu60", True, False),  # rows of before, which did not say the split
        ("", False, False),
    ],
)
def test_a_transfer_is_compared_with_one_from_the_same_split(
    ours: str, shown: bool, subtracted: bool
) -> None:
    """An encoder of other people and cameras has seen other clips.

    Published transfers are from the cross-subject side.
    """
    rows = [{**row, "source": ours} for row in measured(60, task="moved", norm="released")]
    theirs = printed(67.5, task="transfer", setting="source=ntu60/xsub", kind="last")
    line = only(
        compare(rows, [theirs], {comparison_key("pstl", "moved", ours, ""): Compared("transfer")})
    )
    assert (line.published is not None, line.like_minus_published is not None) == (
        shown,
        subtracted,
    )
    assert (line.mean_minus_published is not None) == subtracted
    assert ("source_split" in line.why_not) == (shown and not subtracted)


@pytest.mark.parametrize("where", [{"seed": 1}, {"norm": "released"}])
def test_seeds_and_norms_of_other_data_are_not_averaged(where: dict[str, Any]) -> None:
    """After a changed recipe some cells may be left from before: their mean would be of nothing."""
    rows = [
        *rows_of(cell(), {"top1": 60.0}),
        *rows_of(cell(**where), {"top1": 70.0}, data_checksum="e" * 64),
    ]
    with pytest.raises(
        UserError, match=r"ntu60 xsub linear pstl joint, seed \d, .*\(data_checksum eeee"
    ):
        compare([{**row, "reason": ""} for row in rows], [])


def test_an_entry_meets_the_numbers_of_its_task():
    """`few` is our name.

    Papers say semi, and the number of the same fraction must stand beside ours.
    """
    rows = [row | {"task": "few", "labels": "0.1"} for row in measured(60)]
    theirs = [
        printed(50.0)._replace(task="semi", setting="labels=0.01"),
        printed(70.0)._replace(task="semi", setting="labels=0.1"),
    ]
    compared = {comparison_key("pstl", "few", "", ""): Compared("semi")}
    assert only(compare(rows, theirs, compared)).published == 70.0
    assert only(compare(rows, theirs)).published is None


def test_every_task_is_judged_by_a_metric_it_has() -> None:
    """A page that shows accuracies only would hide detection and prediction, whose headline is
    another number.
    """
    tasks = {
        "linear": ("top5", "top1"),
        "detection": ("f1", "map_video", "map_action"),
        "prediction": ("mpjpe_2", "mpjpe"),
        "odd": ("nothing",),
    }
    rows = [
        row
        for task, metrics in tasks.items()
        for row in rows_of(cell(task=task), dict.fromkeys(metrics, 1.0))
    ]
    assert main_metrics(compare(rows, [])) == {
        "linear": "top1",
        "detection": "map_action",
        "prediction": "mpjpe",
    }


def test_parts_of_the_test_side_are_in_no_headline() -> None:
    """One action's error beside the mean of all would be read as another method's."""
    rows = []
    for setting in ("tune=all", "tune=all;subset=walking", "tune=all;windows=all"):
        rows += [{**row, "setting": setting} for row in measured(50, task="prediction")]
    lines = compare(rows, [])
    assert [line.setting for line in unswept(lines)] == ["tune=all"]


def test_errors_of_others_are_a_row_over_their_frames() -> None:
    """Six frames of six methods as rows of their own could not be compared; less stands first."""
    of_frames = []
    for method, values in (("worse", (20.0, 90.0)), ("better", (10.0, 80.0))):
        for frame, value in zip((2, 25), values, strict=True):
            of_frames.append(
                printed(value)._replace(task="motion", metric=f"mpjpe_{frame}", method=method)
            )
    notes = Notes()
    _, text = reference(of_frames, notes)
    header, _, first, second = text.splitlines()
    assert header.endswith("| predicted frame 2 | predicted frame 25 |")
    assert "better" in first
    assert first.endswith("| 10.0 | 80.0 |")
    assert second.endswith("| 20.0 | 90.0 |")
