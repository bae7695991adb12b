from dataclasses import replace
from pathlib import Path

import pytest
from fabricated import params, write_cell, write_run

from pstl import paths
from pstl.config import Params
from pstl.report import rows
from pstl.report.build import build
from pstl.report.compare import compare
from pstl.report.few_labels import by_share, label_rules

GRID = (
    {
        "dataset": "nwucla",
        "splits": ["xview"],
        "methods": ["psp"],
        "labels": [0.05, 0.15],
        "seeds": [0, 1],
        "tasks": ["classify"],
        "batch_norm": ["released"],
    },
    {
        "dataset": "nwucla",
        "splits": ["xview"],
        "methods": ["pstl"],
        "labels": [0.05, 0.15],
        "seeds": [0, 1],
        "tasks": ["semi"],
    },
)


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """PSP trained with 5 and 15 % of the labels, PSTL fine-tuned with them."""
    monkeypatch.chdir(tmp_path)
    settings = params(*GRID)
    for run in settings.runs("tiny"):
        write_run(run)
        if run.labels:
            path = Path(paths.run(run), "run.json")
            path.write_text(
                path.read_text().replace('"method"', f'"labels": {run.labels}, "method"')
            )
    for number, cell in enumerate(settings.cells("tiny")):
        share = {"setting": "rule=psp"} if cell.task == "semi" else {}
        write_cell(cell, {"top1": 40.0 + number, "top5": 90.0}, **share)
    return settings


def test_methods_meet_at_the_share_of_labels_they_saw(few: Params) -> None:
    """A share that is told from another place of the settings puts a method beside others that saw
    more labels.
    """
    results = rows.from_files(few, "tiny")
    found = by_share(compare(results.rows, []), label_rules(results))
    means = {
        name: {share: line.mean for share, line in shares.items()} for name, shares in found.items()
    }
    assert means == {
        "psp": {0.05: 41.0, 0.15: 42.0},
        "pstl": {0.05: 49.0, 0.15: 50.0},
    }  # pstl: recalibrated


def test_cells_of_another_rule_are_not_taken_for_those_of_psp_s(few: Params) -> None:
    """Their clips are others: under one name the later cell would hide the earlier."""
    results = rows.from_files(few, "tiny")
    lines = compare(results.rows, [])
    fine_tuned = [line for line in lines if (line.task, line.labels) == ("semi", "0.05")]
    other = [replace(line, setting="rule=random") for line in fine_tuned]
    learnt = [line for line in lines if line.task == "classify"]
    also = [replace(line, method="psp_random") for line in learnt if line.labels == "0.15"]
    rules = label_rules(results) | {"psp_random": "random"}
    found = {
        name: list(shares) for name, shares in by_share([*lines, *other, *also], rules).items()
    }
    assert found == {
        "psp": [0.05, 0.15],
        "psp_random (random)": [0.15],
        "pstl": [0.05, 0.15],
        "pstl (random)": [0.05],
    }


def test_tasks_of_one_encoder_stand_apart(few: Params) -> None:
    """Tuned and frozen are two curves: under one name the later would hide the earlier."""
    results = rows.from_files(few, "tiny")
    lines = compare(results.rows, [])
    frozen = [replace(line, task="semi_probe") for line in lines if line.task == "semi"]
    found = by_share([*lines, *frozen], label_rules(results))
    assert list(found) == ["psp", "pstl (semi)", "pstl (semi_probe)"]


def test_the_page_has_a_table_and_a_picture(few: Params, tmp_path: Path) -> None:
    """The comparison is what the suite is run for."""
    build(few, "tiny", tmp_path / "tables")
    assert (
        "| method | 5 % | 15 % |\n| --- | --- | --- |\n| psp | 41.0 ± 1.4 (2) |"
        in (tmp_path / "tables/comparison.md").read_text()
    )
    assert (tmp_path / "tables/labels.png").stat().st_size > 1000
