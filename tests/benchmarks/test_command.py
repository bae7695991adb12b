"""`python -m pstl bench` from a checkout, and without one."""

import json

import pytest

from pstl import checkout, cli


def test_the_verb_measures_what_is_asked_for(tmp_path, monkeypatch, capsys):
    """The verb is typed by users; that what it calls lies outside of the package must not show."""
    from benchmarks import probes

    monkeypatch.setattr(probes, "TRAIN", 120)
    monkeypatch.setattr(probes, "TEST", 60)
    monkeypatch.setattr(probes, "CLASSES", 6)
    monkeypatch.setattr(probes, "WIDE", 200)
    monkeypatch.setitem(probes.PROBES, "probe", {"strengths": [1.0, 0.01]})
    cli.main(["bench", "--probes", "--device", "cpu", "--json", str(tmp_path / "bench.json")])
    rows = json.loads((tmp_path / "bench.json").read_text())
    assert [row["task"] for row in rows] == ["linear", "probe", "knn", "retrieval"]
    said = capsys.readouterr().out
    assert "120 training and 60 test clips" in said
    assert "times as fast as scikit-learn" in said
    beside = rows[1]["beside"]
    assert [row["kind"] for row in beside] == ["independent", "correlated", "wide"]
    for row in beside:  # both answer the same question, and neither stops before the other
        assert row["ratio"] > 0
        assert row["above"] < 1e-5
        assert row["l2"] == row["other_l2"]
        assert abs(row["top1"] - row["other_top1"]) < 2


def test_an_installed_package_says_that_it_needs_a_checkout(tmp_path, monkeypatch, capsys):
    """Benchmarks are not installed: a traceback of a missing module would help nobody."""
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    with pytest.raises(SystemExit) as stop:
        cli.main(["bench"])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "run this in a checkout of the project" in line


def test_a_method_that_trains_nothing_is_refused(root, monkeypatch, capsys):
    """There is no step to time: better one line than a traceback from another process."""
    monkeypatch.chdir(root)
    with pytest.raises(SystemExit) as stop:
        cli.main(["bench", "--method", "raw", "--device", "cpu"])
    assert stop.value.code == 2
    assert "--method raw: trains nothing" in capsys.readouterr().err
