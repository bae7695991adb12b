"""Ours minus our floors: which rows are subtracted, and what the tables say of it."""

import csv
from pathlib import Path

import numpy as np
import pytest
from fabricated import write_cell, write_run
from settings_files import settings_of

from pstl import paths
from pstl.config import Params
from pstl.evaluation import scores
from pstl.evaluation.cell import named
from pstl.evaluation.scores import Scores
from pstl.report import confusion, facts, floors, joined, markdown, paired, tables
from pstl.report.build import build
from pstl.report.rebuild import rebuild

SHAPE = {"recipe": "resize50", "encoder": "stgcn", "train": {"epochs": 3, "lr": 0.005}}
OTHER = SHAPE | {"recipe": "spine300"}
TOP1 = {"pstl": 60.0, "skeletonbt": 50.0, "raw.resize50": 30.0, "raw.spine300": 45.0,
        "untrained.pstl": 20.0, "untrained.skeletonbt": 10.0}  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def settings() -> Params:
    """Two methods of two recipes, two seeds, both states of the norms, floors included."""
    block = {
        "dataset": "ntu60", "splits": ["xsub"], "methods": ["pstl", "skeletonbt"],
        "seeds": [0, 1], "tasks": ["linear"],
    }  # fmt: skip
    suite = {"summary": "Invented", "floors": True, "experiments": [block]}
    methods = {"pstl": SHAPE, "skeletonbt": OTHER}
    return settings_of(
        {"suite": "tiny", "methods": methods, "tasks": {"linear": {}}, "suites": {"tiny": suite}}
    )


def write(params: Params, missing: tuple[str, int] = ("", -1)) -> None:
    """Every cell, a seed a point above the one before, but for one method's seed."""
    for run in params.runs("tiny"):
        write_run(run)
    for cell in params.cells("tiny"):
        if (cell.run.method, cell.run.seed) != missing:
            write_cell(cell, {"top1": TOP1[cell.run.method] + cell.run.seed})


def differences(params: Params) -> dict[tuple[str, str], tuple[float | None, float | None]]:
    lines = joined.read(params, "tiny").lines
    return {
        (line.method, line.batch_norm): (line.mean_minus_raw, line.mean_minus_untrained)
        for line in lines
    }


def test_each_method_is_compared_with_the_floors_of_its_own_recipe() -> None:
    """Above the coordinates of a recipe that suits nobody is no news about pre-training."""
    params = settings()
    write(params)
    found = differences(params)
    for norm in ("released", "recalibrated"):
        assert found["pstl", norm] == (60.5 - 30, 60.5 - 20.5)
        assert found["skeletonbt", norm] == (50.5 - 45, 50.5 - 10.5)
        assert found["untrained.pstl", norm] == (None, None)
    kinds = {line.method: line.floor for line in joined.read(params, "tiny").lines}
    assert kinds == {
        "pstl": "", "raw.resize50": "raw", "untrained.pstl": "untrained",
        "skeletonbt": "", "raw.spine300": "raw", "untrained.skeletonbt": "untrained",
    }  # fmt: skip


def test_other_seeds_are_not_subtracted() -> None:
    """The mean of two seeds minus one of them is no gain; coordinates have no seed."""
    params = settings()
    write(params, missing=("untrained.pstl", 1))
    assert differences(params)["pstl", "recalibrated"] == (60.5 - 30, None)


def test_of_coordinates_the_seeds_of_ours_count() -> None:
    """Where labels are drawn by the seed, other draws than ours are another number; as in tests."""
    params = settings()
    write(params, missing=("pstl", 1))
    raw, untrained = differences(params)["pstl", "recalibrated"]
    assert (raw, untrained) == (60.0 - 30, None)
    ours = [{"seed": 1, "value": 50.0}]
    floor = [{"seed": seed, "value": value} for seed, value in enumerate((10.0, 20.0, 60.0))]
    assert floors.minus(ours, floor, "raw") == 30.0
    assert floors.minus(ours, floor[:1], "raw") == 40.0  # none is of ours: coordinates have no seed


def test_tables_show_gains_below_each_method_and_say_what_they_are() -> None:
    """Nobody looks for the floor of a method among twenty others."""
    params = settings()
    write(params)
    page = markdown.render(joined.read(params, "tiny"))
    pstl, raw, untrained = page[page.index("| pstl |") :].splitlines()[:3]
    assert "| 60.5 ± 0.7 (2) |" in pstl
    assert raw == "| *ours − coordinates* | +30.5 |"
    assert untrained == "| *ours − untrained* | +40.0 |"
    assert "minus the coordinates of the method's own recipe" in page
    build(params, "tiny", "kept")
    with Path("kept/rows.csv").open() as file:
        kinds = {row["method"]: row["floor"] for row in csv.DictReader(file)}
    assert (kinds["pstl"], kinds["raw.spine300"]) == ("", "raw")
    before = Path("kept/comparison.csv").read_text()
    rebuild(params, "kept")  # as of kept results
    assert Path("kept/comparison.csv").read_text() == before
    header, first = (line.split(",") for line in before.splitlines()[:2])
    assert first[header.index("mean_minus_raw")] == "+30.5000"


def test_a_floor_is_paired_with_those_whose_floor_it_is() -> None:
    """Whatever the norms: coordinates have none, and recalibrated cells have no others."""
    params, rng = settings(), np.random.default_rng(0)
    y = rng.integers(0, 3, 40)
    for cell in params.cells("tiny"):
        points = rng.random((40, 3), np.float32)
        path = Path(paths.scores(cell))
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {**named(cell), "data_checksum": "c", "run_id": "r", "clips": "x"}
        scores.write(path, Scores(points, y, np.ones(40, bool), about))
    pairs = paired.pairs(confusion.read_scores(params.cells("tiny")), params.floors("tiny"))
    found = {(pair.batch_norm, *sorted((pair.a, pair.b))) for pair in pairs}
    assert found == {
        (norm, *sorted(two))
        for norm in ("released", "recalibrated")
        for two in (
            ("pstl", "skeletonbt"), ("pstl", "raw.resize50"), ("pstl", "untrained.pstl"),
            ("skeletonbt", "raw.spine300"), ("skeletonbt", "untrained.skeletonbt"),
        )
    }  # fmt: skip
    assert len(pairs) == len(found)
    seeds = {(pair.a, pair.b): (pair.verdict.seeds_a, pair.verdict.seeds_b) for pair in pairs}
    for names, counts in seeds.items():
        expected = tuple(1 if name.startswith("raw") else 2 for name in names)
        assert counts == expected


def test_the_head_says_which_precision_made_the_numbers() -> None:
    """A table of one machine is compared with that of another: bf16 and fp32 are not one training.

    Floors are not trained; of what is trained and says nothing, nothing is guessed.
    """
    params = settings()
    write(params)
    for cell in params.cells("tiny"):
        kind = params.floor_kinds("tiny")[cell.run.method]
        said = {"pstl": "bf16", "skeletonbt": "fp32"}.get(cell.run.method, "")
        assert bool(kind) is not bool(said)
        write_cell(cell, {"top1": TOP1[cell.run.method]}, precision=said)
    assert facts.facts(joined.read(params, "tiny"))["precision"] == "bf16, fp32"
    write_cell(params.cells("tiny")[0], {"top1": 60.0}, precision="")
    assert facts.facts(joined.read(params, "tiny"))["precision"] == "bf16, fp32, not recorded"


def test_a_floor_on_another_body_says_so() -> None:
    """It has seen nothing of the data it is named after."""
    params = settings()
    write(params)
    line = joined.read(params, "tiny").lines[-1]
    moved = tables.replace(line, source="nwucla/xview")
    assert moved.encoder == f"{line.method} (nwucla's body)"
