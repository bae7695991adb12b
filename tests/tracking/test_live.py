"""Runs in the store while they are still at work."""

from pathlib import Path

import pytest
from report.fabricated import params, write_all, write_run

from pstl import paths
from pstl.errors import UserError
from pstl.tracking import live
from pstl.tracking.importing import import_runs
from pstl.tracking.reading import results_from_mlflow
from tracking.conftest import ONE_RUN, active, mlflow, stored


def test_a_run_at_work_is_seen_and_makes_way_for_itself(uri: str) -> None:
    """Who watches a night of training wants its loss so far, once, and no half run left over when
    it is done; tables never see it.
    """
    settings = params(ONE_RUN)
    run = settings.runs("tiny")[0]
    write_run(run, epochs=4)
    curve, record = (Path(paths.run(run), name) for name in ("curve.jsonl", "run.json"))
    whole, facts = curve.read_text().splitlines(keepends=True), record.read_text()
    record.unlink()
    for epochs in (1, 1, 3):
        curve.write_text("".join(whole[:epochs]))
        assert live.update(settings, "tiny", uri) == [str(run)]
        (seen,) = active(uri)
        assert seen.info.status == "RUNNING"
        assert seen.data.tags["pstl.current"] == "yes"  # in the view that the pages open at
        client = mlflow.MlflowClient(tracking_uri=uri)
        assert [m.step for m in client.get_metric_history(seen.info.run_id, "train/loss")] == list(
            range(epochs)
        )
        assert len(client.get_metric_history(seen.info.run_id, "system/epoch_seconds")) == epochs
    curve.write_text(whole[0])  # begun anew
    live.update(settings, "tiny", uri)
    assert [run.info.run_id for run in active(uri)] != [seen.info.run_id]
    with pytest.raises(UserError, match="no run of suite 'tiny'"):
        results_from_mlflow(settings, "tiny", uri)
    curve.write_text("".join(whole))
    record.write_text(facts)
    assert live.update(settings, "tiny", uri) == []
    assert active(uri) == []


def test_watching_survives_a_store_that_comes_and_goes(
    uri: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A watcher that dies of a restart of the server is found dead in the morning."""
    settings, turns = (
        params(ONE_RUN),
        [],
    )
    write_all(settings)

    def pause(seconds: float) -> None:
        turns.append(seconds)
        if len(turns) == 2:
            raise KeyboardInterrupt

    addresses = iter(["mlruns", uri])
    monkeypatch.setattr(live.time, "sleep", pause)
    monkeypatch.setattr(
        live, "import_runs", lambda p, s, r, u: import_runs(p, s, r, next(addresses))
    )
    with pytest.raises(KeyboardInterrupt):
        live.watch(settings, "tiny", 0.5, uri)
    assert turns == [0.5, 0.5]
    assert "mlruns" in caplog.text
    assert len(stored(uri)) == 1
    assert not Path("receipt.json").exists()
