import json

import numpy as np
import pytest
import torch
from train.conftest import trained_run

from pstl.config import Cell, Run
from pstl.data.loader import Clips
from pstl.data.store import open_array
from pstl.encoding import features
from pstl.encoding.feature_file import open_features
from pstl.errors import ShapeError, UserError
from pstl.evaluation.fuse import fuse
from pstl.evaluation.run import evaluate
from pstl.graph import Inputs
from pstl.hub.embed_arrays import embed
from pstl.train import encoder_file, hardware

CPU = torch.device("cpu")
RUN = Run(suite="tiny", dataset="nwucla", split="xview", method="pstl", stream="joint", seed=0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Settings, array folder and encoder of one small run."""
    return trained_run(tmp_path_factory.mktemp("trained"), RUN)


def test_features_are_those_of_embed(trained, tmp_path):
    """Two doors to the same numbers."""
    _, array, encoder = trained
    features.extract(
        encoder, array, "xview", features.Encoding("released"), tmp_path / "f.npz", CPU
    )
    found = open_features(tmp_path / "f.npz")
    np.save(tmp_path / "x.npy", open_array(array).x)
    embed(encoder, tmp_path / "x.npy", tmp_path / "e.npy", None, [], CPU)
    np.testing.assert_allclose(
        np.concatenate([found.train, found.test]), np.load(tmp_path / "e.npy"), rtol=1e-5, atol=1e-6
    )
    assert found.meta["run"] == str(RUN)


def test_recalibration_uses_clean_training_clips_only(trained):
    """Statistics of the input norm must be those of the training clips, computed here by hand, and
    not see the test clips.
    """
    _, array, path = trained
    data = open_array(array)
    card, encoder = encoder_file.load(path)
    features.recalibrate(card, encoder, Clips(data, data.splits["xview"][0], CPU))
    x = (
        torch.from_numpy(np.array(data.x[:16])).permute(0, 4, 3, 1, 2).reshape(16, 60, 50)
    )  # channels are joint-major
    torch.testing.assert_close(
        encoder.input_norm.running_mean, x.mean((0, 2)), atol=1e-5, rtol=1e-4
    )
    torch.testing.assert_close(encoder.input_norm.running_var, x.var((0, 2)), atol=1e-5, rtol=1e-3)
    assert not encoder.training
    assert encoder.input_norm.momentum == 0.1


def test_recalibrated_and_released_differ(trained, tmp_path):
    """The setting must reach the features."""
    _, array, encoder = trained
    for norm in ("released", "recalibrated"):
        features.extract(
            encoder, array, "xview", features.Encoding(norm), tmp_path / f"{norm}.npz", CPU
        )
    a, b = (open_features(tmp_path / f"{norm}.npz") for norm in ("released", "recalibrated"))
    assert not np.allclose(a.test, b.test)


def test_evaluate_writes_rows_that_know_their_origin(trained, tmp_path):
    """Settings, data checksum, commit and run id stand beside every number."""
    params, array, encoder = trained
    features.extract(
        encoder, array, "xview", features.Encoding("recalibrated"), tmp_path / "f.npz", CPU
    )
    cell, inputs = Cell(RUN, "recalibrated", "knn"), Inputs(features=tmp_path / "f.npz")
    out, scores = tmp_path / "knn.json", tmp_path / "knn.scores.npz"
    evaluate(params, cell, inputs, out, scores, CPU)
    row = json.loads((tmp_path / "knn.json").read_text())["rows"][0]
    assert row["data_checksum"] == json.loads((array / "meta.json").read_text())["checksum"]
    assert (row["method"], row["task"], row["seed"], row["setting"], row["metric"]) == (
        "pstl",
        "knn",
        0,
        "k=1;cosine",
        "top1",
    )
    assert all(
        row[key] not in ("", None)
        for key in ("run_id", "git", "device", "seconds", "peak_mb", "settings_digest")
    )
    assert (row["precision"], row["labelled"]) == ("fp32", "")  # every clip had its label
    same = hardware.computed_by(CPU)
    assert {name: row[name] for name in same} == same  # encoder, features and task alike


def test_rows_say_where_stages_were_computed_otherwise(trained, tmp_path):
    """Threads and processor move last digits; a reader of two tables must see that they differ."""
    params, array, encoder = trained
    features.extract(
        encoder, array, "xview", features.Encoding("released"), tmp_path / "f.npz", CPU
    )
    inputs, threads = Inputs(features=tmp_path / "f.npz"), torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        evaluate(params, Cell(RUN, "released", "knn"), inputs, tmp_path / "knn.json", None, CPU)
    finally:
        torch.set_num_threads(threads)
    row = json.loads((tmp_path / "knn.json").read_text())["rows"][0]
    assert row["threads"] == f"encoder {threads}, features {threads}, task {threads + 1}"


def test_features_of_another_run_are_refused(trained, tmp_path):
    """Rows must not be filed under the wrong run."""
    params, array, encoder = trained
    features.extract(
        encoder, array, "xview", features.Encoding("released"), tmp_path / "f.npz", CPU
    )
    inputs = Inputs(features=tmp_path / "f.npz")
    with pytest.raises(UserError, match="expected tiny/nwucla/xview/pstl/joint/s0"):
        evaluate(params, Cell(RUN, "recalibrated", "knn"), inputs, tmp_path / "knn.json", None, CPU)


def test_fusion_is_the_weighted_sum_of_scores(tmp_path):
    """Three streams, raw scores, stated weights; the row names them."""
    rng, y = np.random.default_rng(0), np.array([0, 1, 2, 1])
    scores = {
        stream: rng.normal(size=(4, 3)).astype(np.float32) for stream in ("joint", "bone", "motion")
    }
    files, weights = {}, {"joint": 0.6, "bone": 0.6, "motion": 0.4}
    for stream, values in scores.items():
        files[stream] = str(tmp_path / f"{stream}.scores.npz")
        np.savez(files[stream], scores=values, y=y)
        part = {"run_id": stream, "data_checksum": "d", "settings_digest": stream}
        part |= {"precision": "bf16" if stream == "joint" else "fp32", "labelled": 12}
        (tmp_path / f"{stream}.json").write_text(json.dumps({"rows": [part]}))
    cell = Cell(RUN, "released", "linear", fused=weights)
    fuse(cell, files, tmp_path / "f.json", None)
    row = json.loads((tmp_path / "f.json").read_text())["rows"][0]
    expected = sum(weights[s] * scores[s] for s in scores).argmax(1) == y
    assert row["value"] == pytest.approx(100 * expected.mean())
    assert row["setting"] == "joint=0.6;bone=0.6;motion=0.4"
    assert (row["precision"], row["labelled"]) == ("bf16+fp32", 12)
    np.savez(files["bone"], scores=scores["bone"], y=y[::-1])
    with pytest.raises(UserError, match="not scores of the 4 test clips"):
        fuse(cell, files, tmp_path / "f.json", None)


def test_encoder_refuses_weights_of_another_shape(trained, tmp_path):
    """A checkpoint of another width must not be loaded halfway."""
    content = torch.load(trained[2], weights_only=True)
    content["card"]["encoder"]["width"] = 4
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"weight '.*': found \(.*\), expected \(.*\)"):
        encoder_file.load(tmp_path / "other.pt")


def test_weights_are_never_unpickled_as_code(tmp_path):
    """A checkpoint from the net must not run anything."""
    torch.save({"format": 1, "card": CPU.__class__, "state": print}, tmp_path / "evil.pt")
    with pytest.raises(UserError, match="holds more than tensors and plain values"):
        encoder_file.load(tmp_path / "evil.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[:, :, :, :19], r"expected \(N, 3, 50, 20, M\)"),
        (lambda x: x[0], "expected"),
        (lambda x: np.where(x == x.max(), np.nan, x), "NaN"),
        (lambda x: x[:0], "at least one clip"),
        (lambda x: x.astype(str), "real numbers"),
    ],
)
def test_embed_refuses_bad_input_in_one_line(trained, tmp_path, change, message):
    """What cannot be encoded is said, and nothing is written."""
    np.save(tmp_path / "x.npy", change(np.array(open_array(trained[1]).x)))
    with pytest.raises((UserError, ShapeError), match=message):
        embed(trained[2], tmp_path / "x.npy", tmp_path / "f.npy", None, [], CPU)
    assert not (tmp_path / "f.npy").exists()


@pytest.mark.parametrize("dropped", [[20], [-1], list(range(20))])
def test_embed_refuses_joints_that_are_not_there(trained, tmp_path, dropped):
    """The last joint is 19, and somebody must be left."""
    np.save(tmp_path / "x.npy", open_array(trained[1]).x)
    with pytest.raises(UserError, match="from 0 to 19"):
        embed(trained[2], tmp_path / "x.npy", tmp_path / "f.npy", None, dropped, CPU)


def test_a_fusion_of_what_makes_no_sense_makes_no_sense(trained, tmp_path):
    """One stream without a number must not stop the whole suite, nor leave a fusion of the others
    under the name of all.
    """
    run = RUN.model_copy(update={"stream": "fused"})
    for stream in ("joint", "bone"):
        np.savez(tmp_path / f"{stream}.scores.npz", scores=np.zeros((0, 0)), y=np.arange(3))
        (tmp_path / f"{stream}.json").write_text(
            json.dumps({"rows": [], "curve": [], "not_applicable": "no weights to fine-tune"})
        )
    files = {stream: str(tmp_path / f"{stream}.scores.npz") for stream in ("joint", "bone")}
    cell = Cell(run, "released", "finetune", fused={"joint": 1.0, "bone": 1.0})
    fuse(cell, files, tmp_path / "f.json", tmp_path / "f.npz")
    assert (
        json.loads((tmp_path / "f.json").read_text())["not_applicable"] == "no weights to fine-tune"
    )


def test_equal_weights_stand_beside_the_published_ones(trained, tmp_path):
    """The published weights were chosen on test clips; by hand, here they are right on the second
    clip only and equal ones on both.
    """
    run, y = RUN.model_copy(update={"stream": "fused"}), np.array([0, 0])
    streams = {
        "joint": [[1.0, 0.0], [1.0, 0.0]],
        "bone": [[0.0, 2.0], [0.0, 0.5]],
        "motion": [[1.5, 0.0], [0.0, 0.0]],
    }
    for stream, scores in streams.items():
        np.savez(tmp_path / f"{stream}.scores.npz", scores=np.array(scores), y=y)
        row = {"run_id": stream, "data_checksum": "c", "settings_digest": "d"}
        (tmp_path / f"{stream}.json").write_text(json.dumps({"rows": [row], "curve": []}))
    files = {stream: str(tmp_path / f"{stream}.scores.npz") for stream in streams}
    weights = {"joint": 0.6, "bone": 1.0, "motion": 0.4}
    cell = Cell(run, "released", "linear", fused=weights)
    fuse(cell, files, tmp_path / "f.json", tmp_path / "f.npz")
    found = {
        row["metric"]: row["value"] for row in json.loads((tmp_path / "f.json").read_text())["rows"]
    }
    assert (found["top1"], found["top1_equal"]) == (50.0, 100.0)
