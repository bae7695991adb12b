from dataclasses import replace
from pathlib import Path

import pytest
from fabricated import params, write_cell, write_run

from pstl.config import Params
from pstl.report import build, rows
from pstl.report.compare import compare
from pstl.report.shares import Seen, by_share, seen_labels

GRID = (
    {
        "dataset": "nwucla",
        "split": "xview",
        "methods": ["psp_05", "psp_15"],
        "seeds": [0, 1],
        "tasks": ["classify"],
        "batch_norm": ["released"],
    },
    {
        "dataset": "nwucla",
        "split": "xview",
        "methods": ["pstl"],
        "seeds": [0, 1],
        "tasks": ["semi_05", "semi_15"],
    },
)


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """PSP trained with 5 and 15 % of the labels, PSTL fine-tuned with them."""
    monkeypatch.chdir(tmp_path)
    settings = params(*GRID)
    for run in settings.runs("tiny"):
        write_run(run)
        if run.method.startswith("psp_"):
            path = Path(f"results/{run}/run.json".replace("tiny/", "tiny/runs/"))
            path.write_text(
                path.read_text().replace('"method"', f'"labels": 0.{run.method[-2:]}, "method"')
            )
    for number, cell in enumerate(settings.cells("tiny")):
        share = {"setting": f"labels=0.{cell.task[-2:]}"} if cell.task.startswith("semi") else {}
        write_cell(cell, {"top1": 40.0 + number, "top5": 90.0}, **share)
    return settings


def test_methods_meet_at_the_share_of_labels_they_saw(few: Params) -> None:
    """A share that is told from another place of the settings puts a method beside others that saw more labels."""
    results = rows.from_files(few, "tiny")
    found = by_share(compare(results.rows, []), seen_labels(results))
    means = {
        name: {share: line.mean for share, line in shares.items()} for name, shares in found.items()
    }
    assert means == {
        "psp": {0.05: 40.5, 0.15: 42.5},
        "pstl": {0.05: 49.0, 0.15: 50.0},
    }  # pstl: recalibrated


def test_cells_of_another_rule_are_not_taken_for_those_of_psp_s(few: Params) -> None:
    """Their clips are others: under one name the later cell would hide the earlier."""
    results = rows.from_files(few, "tiny")
    lines = compare(results.rows, [])
    fine_tuned = [line for line in lines if line.task == "semi_05"]
    other = [
        replace(line, setting=f"{line.setting};rule={rule}")
        for line in fine_tuned
        for rule in ("random", "psp")
    ]
    seen = seen_labels(results) | {"psp_15": Seen(0.15, "random")}
    found = {name: list(shares) for name, shares in by_share([*lines, *other], seen).items()}
    assert found == {
        "psp": [0.05],
        "psp (random)": [0.15],
        "pstl": [0.05, 0.15],
        "pstl (random)": [0.05],
    }


def test_the_page_has_a_table_and_a_picture(few: Params, tmp_path: Path) -> None:
    """The comparison is what the suite is run for."""
    build(few, "tiny", tmp_path / "tables")
    assert (
        "| method | 5 % | 15 % |\n| --- | --- | --- |\n| psp | 40.5 ± 0.7 (2) |"
        in (tmp_path / "tables/comparison.md").read_text()
    )
    assert (tmp_path / "tables/labels.png").stat().st_size > 1000
