"""The bill of a suite: jobs as Snakemake counts them, hours and bytes as arithmetic says."""

import json
from pathlib import Path

import pytest
from snakemake_calls import planned, snakemake

from pstl.cli import main
from pstl.config import Cell, Plugin, load
from pstl.plan import bill, hours, sizes

FIGURES = [
    {
        "method": name, "device": "cpu", "threads": 1, "train_clips_per_second": 10.0,
        "items_per_clip": 1.5 if name == "hitrs" else 1.0,
        "encode_clips_per_second": 100.0, "features": 256, "encoder_parameters": 2**20,
        "parameters": 2**21,
    }
    for name in (
        "pstl", "skeletonbt", "skeletonclr", "aimclr", "scdnet", "hitrs", "psp", "mamp", "umurl",
        "supervised",
    )
]  # fmt: skip


def test_the_bill_on_the_page_is_what_the_command_says(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever asks a cluster for hours by the page asks for those of an older suite."""
    page = (root / "docs/cluster.md").read_text()
    monkeypatch.chdir(root)
    main(["plan", "ntu60"])
    assert f"```\n{capsys.readouterr().out.strip()}\n```\n" in page


@pytest.mark.slow
@pytest.mark.parametrize("suite", ["ntu60", "nwucla_transfer", "nwucla_released", "nwucla_corpus"])
def test_jobs_are_those_that_snakemake_plans(root: Path, tmp_path: Path, suite: str) -> None:
    """A bill that forgets a kind of job is believed until the queue is full."""
    code, output = snakemake(
        root, tmp_path, "-n", "--config", f"suite={suite}", f"params={root / 'params.yaml'}"
    )
    assert code == 0, output
    counted = bill.jobs(load(root / "params.yaml"), suite)
    assert {rule: n for rule, n in counted.items() if rule not in ("labels", "recordings")} == {
        rule: n for rule, n in planned(output).items() if rule != "all"
    }
    total = next(line for line in output.splitlines() if line.startswith("total")).split()[1]
    assert sum(counted.values()) + 1 == int(total)


def test_hours_are_clips_over_speed(root: Path) -> None:
    """PSTL sees 40,091 clips in each of 150 epochs; Hi-TRS's schedule counts bodies, of which a
    benched clip has one and a half.
    """
    params = load(root / "params.yaml")
    assert sizes.items(params.method("ntu60", "pstl"), 40_091) == 150 * 40_091
    assert sizes.items(params.method("ntu60", "hitrs"), 40_091) == 30_000 * 4 * 64
    assert sizes.items(params.method("ntu60", "psp"), 40_091) == 120 * 500 * 90
    slow, fast = (
        bill.cost(
            params, "ntu60", [row | {"train_clips_per_second": rate} for row in FIGURES]
        ).hours
        for rate in (1.0, 4.0)
    )
    assert slow["pretrain"] == pytest.approx(4 * fast["pretrain"])
    assert slow["features"] == fast["features"] > 0
    hitrs = [
        row | {"train_clips_per_second": 1e-3}
        if row["method"] == "hitrs"
        else row | {"train_clips_per_second": 1e9}
        for row in FIGURES
    ]
    assert bill.cost(params, "ntu60", hitrs).hours["pretrain"] * 3600 == pytest.approx(
        6 * 30_000 * 4 * 64 / 1.5e-3, rel=1e-3
    )


def test_probes_cost_in_proportion_to_what_was_timed(root: Path) -> None:
    """A linear probe sees 40,091 clips in 150 epochs, a test after each; neighbours are pairs; a
    task without a figure is named.
    """
    params = load(root / "params.yaml")
    size = {"train": 1000, "test": 500, "width": 256, "classes": 60, "epochs": 2}
    linear, knn = (
        {"task": "linear", "seconds": 3.0, **size},
        {"task": "knn", "seconds": 0.5, **size},
    )
    without, one, both = (
        bill.cost(params, "ntu60", FIGURES + rows).hours["probes"]
        for rows in ([], [linear], [linear, knn])
    )
    assert without == 0 < one < both
    run = params.runs("ntu60")[0]
    width = {"features": 256}
    task = params.task("ntu60", "linear")
    assert sizes.feature_width(params, run, width) == 256
    assert hours.probe_seconds(params, run, task, width, [linear]) == pytest.approx(
        3 * 75 * (3 * 40_091 + 16_487) / 3500
    )
    assert hours.probe_seconds(
        params, run, params.task("ntu60", "knn"), width, [knn]
    ) == pytest.approx(0.5 * 40_091 * 16_487 / 500_000)
    raw = run.model_copy(update={"method": "raw"})
    assert sizes.feature_width(params, raw, {}) == 3 * 50 * 25 * 2
    assert sizes.feature_width(params, run, {}) is None
    named = bill.uncounted(params, "ntu60", [*FIGURES, linear, knn])
    assert "retrieval" in named
    assert not {"linear", "knn", "finetune"} & set(named)


def test_looks_are_counted(root: Path) -> None:
    """NTU-60 with 1 % of the labels trains on 400 clips and tests 16,487: there looks cost more
    than training.
    """
    params = load(root / "params.yaml")
    run = next(r for r in params.runs("ntu60") if (r.method, r.split) == ("pstl", "xsub"))
    every = params.task("ntu60", "finetune")
    few = params.task_of(Cell(run, "released", "semi", labels=0.01))
    assert hours.looked_at(params, run, "released", every) == 30 * 16_487
    assert hours.looked_at(params, run, "recalibrated", every) == 30 * (2 * 16_487 + 40_091)
    assert hours.looked_at(params, run, "released", few) == 30 * 16_487
    assert hours.looked_at(params, run, "recalibrated", few) == pytest.approx(
        30 * (2 * 16_487 + 400.91)
    )
    assert hours.looked_at(params, run, "released", params.task("ntu60", "linear")) == 0
    psp = run.model_copy(update={"method": "psp"})
    assert hours.looked_at(params, psp, "released", params.task("ntu60", "classify")) == 24 * 16_487
    assert sizes.snapshots(params.method("ntu60", "psp")) == 24
    assert sizes.snapshots(params.method("ntu60", "pstl")) == 0
    counted = bill.cost(params, "ntu60", FIGURES).hours
    assert 0 < counted[hours.LOOKING] < counted[hours.TUNED]


def test_an_array_is_as_large_as_its_shape(root: Path) -> None:
    """NTU-60 at 50 frames: 56,578 clips of 3 x 50 x 25 x 2 float32, the 1.7 GB that must fit into
    memory.
    """
    assert sizes.array_bytes("ntu60", Plugin(name="resize50")) == 56_578 * 3 * 50 * 25 * 2 * 4
    assert (
        sizes.array_bytes("nwucla", Plugin.model_validate({"name": "resize50", "frames": 25}))
        == 1484 * 3 * 25 * 20 * 4
    )
    assert sizes.array_bytes("pkummd2", Plugin(name="spine300")) == 6945 * 3 * 300 * 25 * 2 * 4


def test_the_bill_is_said_with_its_source(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hours without the device they were measured on mean nothing; a method that was not measured
    is named.
    """
    (tmp_path / "bench.json").write_text(json.dumps(FIGURES))
    main(
        [
            "plan",
            "ntu60",
            "--bench",
            str(tmp_path / "bench.json"),
            "--params",
            str(root / "params.yaml"),
        ]
    )
    said = capsys.readouterr().out
    assert said.startswith("ntu60: ")
    assert "hours of one device (cpu, 1 thread)" in said
    main(
        [
            "plan",
            "builtin",
            "--bench",
            str(tmp_path / "bench.json"),
            "--params",
            str(root / "params.yaml"),
        ]
    )
    assert "hours are for the papers' settings; this suite changes " in capsys.readouterr().out
    (tmp_path / "bench.json").write_text(
        json.dumps([FIGURES[0] | {"batch_size": 40, "own_batch_size": 128}])
    )
    main(
        [
            "plan",
            "ntu60",
            "--bench",
            str(tmp_path / "bench.json"),
            "--params",
            str(root / "params.yaml"),
        ]
    )
    said = capsys.readouterr().out
    others = "aimclr, hitrs, mamp, psp, scdnet, skeletonbt, skeletonclr, supervised, umurl"
    assert f"no figure of it: {others}" in said
    assert "benched in smaller batches than trained with: pstl (40 of 128)" in said
    cut = [
        row | {"batch_size": 30, "own_batch_size": 90} for row in FIGURES if row["method"] == "psp"
    ]
    (tmp_path / "bench.json").write_text(json.dumps(cut))
    main(
        [
            "plan",
            "pkummd1",
            "--bench",
            str(tmp_path / "bench.json"),
            "--params",
            str(root / "params.yaml"),
        ]
    )
    assert "benched in smaller batches" not in capsys.readouterr().out  # no hour there is PSP's
