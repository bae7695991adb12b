import numpy as np
import pytest
from train.conftest import make_params

from benchmarks.methods import bench, table
from pstl import cli
from pstl.config import load


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main([str(a) for a in arguments])
    return stop.value.code


def verbs():
    return sorted(cli.program().commands)


@pytest.mark.parametrize("verb", verbs())
def test_help_shows_a_real_example(verb, capsys):
    """Nobody should have to guess a command line."""
    assert run(verb, "--help") == 0
    out = capsys.readouterr().out
    assert f"example:\n  python -m pstl {verb}" in out


def test_user_errors_are_one_line_and_exit_with_2(tmp_path, capsys):
    """No traceback for what a person can put right."""
    np.save(tmp_path / "x.npy", np.zeros((1, 3, 50, 25, 2), np.float32))
    code = run(
        "embed",
        "--weights",
        tmp_path / "none.pt",
        "--input",
        tmp_path / "x.npy",
        "--output",
        tmp_path / "f.npy",
    )
    assert code == 2
    assert capsys.readouterr().err == f"pstl embed: {tmp_path / 'none.pt'}: no such file\n"


def test_import_of_a_foreign_file_is_refused(tmp_path, capsys):
    """Not every checkpoint is one of the released code."""
    import torch

    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pt")
    assert (
        run("import-weights", "--source", "pstl", tmp_path / "other.pt", tmp_path / "out.pt") == 2
    )
    assert "not a checkpoint of the released pstl code" in capsys.readouterr().err
    assert run("import-weights", "--source", "raw", tmp_path / "other.pt", tmp_path / "out.pt") == 2
    assert "known: " in capsys.readouterr().err
    assert not (tmp_path / "out.pt").exists()


def test_list_names_every_plugin(capsys):
    """The catalogue a newcomer reads first."""
    cli.main(["list"])
    out = capsys.readouterr().out
    assert all(name in out for name in ("stgcn", "pstl", "resize50", "nwucla", "linear"))


@pytest.mark.slow
def test_bench_measures_a_method(tmp_path):
    """Each method in a process of its own, so that its peak memory is its own."""
    import torch

    make_params(tmp_path, batch_size=4)
    rows = bench(load(tmp_path / "params.yaml"), ["pstl"], torch.device("cpu"), steps=1, batch=2)
    assert rows[0]["batch_size"] == 2
    assert rows[0]["train_clips_per_second"] > 0
    assert rows[0]["encode_clips_per_second"] > rows[0]["train_clips_per_second"]
    assert rows[0]["train_peak_mb"] > 50
    assert "pstl" in table(rows)


def test_probes_are_timed_on_features_of_a_known_size(monkeypatch):
    """The bill of a suite scales these rows: each must say what it was timed on."""
    import torch

    from benchmarks import probes as bench_probes

    monkeypatch.setattr(bench_probes, "TRAIN", 40)
    monkeypatch.setattr(bench_probes, "TEST", 20)
    monkeypatch.setattr(bench_probes, "CLASSES", 4)
    monkeypatch.setattr(bench_probes, "WIDE", 20)
    monkeypatch.setitem(bench_probes.PROBES, "probe", {"strengths": [0.1]})
    rows = bench_probes.bench_probes(torch.device("cpu"))
    assert [row["task"] for row in rows] == ["linear", "probe", "knn", "retrieval"]
    assert all(
        row["seconds"] > 0
        and (row["train"], row["test"], row["width"], row["classes"]) == (40, 20, 256, 4)
        for row in rows
    )
    assert "40 training and 20 test clips" in bench_probes.table(rows)


def test_bench_counts_clips_where_items_are_bodies():
    """Hi-TRS trains on 1.5 bodies a clip here: its rate must be comparable with others'."""
    import torch

    from benchmarks import methods as module
    from pstl.config import MethodSettings
    from pstl.train.pretrain import build_method

    encoder = {"name": "hitrs", "width": 8, "heads": 2, "head_width": 4, "layers": 1}
    train = {"epochs": 1, "batch_size": 2, "lr": 1e-3}
    section = MethodSettings.model_validate(
        {"method": "hitrs", "recipe": "metres300", "encoder": encoder, "train": train}
    )
    data = module.clips_of(section)
    assert data.x.shape == (4, 3, 120, 25, 2)
    assert sorted(data.length.tolist()) == [40, 66, 93, 120]
    run = module.Run(
        suite="s", dataset="ntu60", split="xsub", method="hitrs", stream="joint", seed=0
    )
    method, seen = build_method(run, section, module.card_of(section, data), 60), []
    method.register_forward_hook(lambda module, args, out: seen.append(args[0].x.shape))
    rate, items_per_clip = module.train_rate(method, data, section, torch.device("cpu"), 1)
    assert rate > 0
    assert items_per_clip == 1.5
    assert seen == [(2, 3, 120, 25, 1)] * 2
