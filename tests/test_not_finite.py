"""Nothing that is not finite leaves a verb: what is compared with NaN is false, and a wrong answer
would be an accuracy.

The verbs run by the command line's own entry on a small world (small_world.py), in which one number
is wrong.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_world as world
import torch

from pstl.data.numpy_file import save_npy, save_npz
from pstl.errors import UserError
from pstl.files import Kind, read_json, write_json
from pstl.ops.finite import LARGEST

HOME, CELL = world.HOME, f"{world.HOME}/released"
ENCODER, FEATURES = f"{HOME}/encoder.pt", f"{CELL}/features.npz"
ON_FEATURES = ("knn", "linear", "retrieval", "probe")
VERBS = world.VERBS | {
    "recalibrated": [word.replace("released", "recalibrated") for word in world.VERBS["features"]],
    "embed array": [word.replace("own", "array") for word in world.VERBS["embed"]],
    "export": [*world.VERBS["export"], "--array", "array"],
}
WITH_WEIGHTS = (
    "features", "recalibrated", "embed", "embed array", "export",
    "finetune", "semi", "lost_joints", "classify", "detection", "prediction",
)  # fmt: skip


@pytest.fixture(autouse=True)
def place(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small)


def weights(value: float, part: str = "state") -> Callable[[Path], None]:
    """One number of one weight of an encoder file; torch writes it, who checks nothing."""

    def damage(path: Path) -> None:
        content = torch.load(path, weights_only=True)
        name = [
            name
            for name, tensor in content[part].items()
            if tensor.is_floating_point() and name.endswith("weight")
        ][-1]
        content[part][name].view(-1)[0] = value
        torch.save(content, path)

    return damage


def arrays(name: str, value: float) -> Callable[[Path], None]:
    """One number of one array of an .npz file; numpy writes it, who checks nothing."""

    def damage(path: Path) -> None:
        with np.load(path) as content:
            changed = dict(content)
        changed[name][1, 0] = value
        with open(path, "wb") as stream:
            np.savez(stream, **changed)

    return damage


@pytest.mark.parametrize("verb", WITH_WEIGHTS)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_weight_that_is_not_finite_is_named(
    verb: str, value: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """One flipped bit or one diverged step: every clip gets the same NaN, and an accuracy of one
    class in ten.
    """
    with world.damaged(ENCODER, weights(value)):
        said = world.refused_in_one_line(VERBS[verb], capsys)
    assert f"{ENCODER}: weight 'blocks" in said
    assert f"holds {'NaN' if value != value else 'infinity'} in 1 of" in said


@pytest.mark.parametrize("verb", WITH_WEIGHTS)
def test_what_overflows_on_the_way_is_not_written(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Finite weights can give infinite features, or variances that make all clips one."""

    def huge(path: Path) -> None:
        content = torch.load(path, weights_only=True)
        for name, tensor in content["state"].items():
            if name.endswith("weight"):
                tensor.fill_(1e30)
        torch.save(content, path)

    with world.damaged(ENCODER, huge):
        said = world.refused_in_one_line(VERBS[verb], capsys)
    assert " NaN" in said or "infinity" in said or "above 1e+15" in said or "is nan" in said


def test_a_classifier_that_is_not_finite_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """It is kept beside the encoder, and gives the scores of `classify`."""
    with world.damaged(ENCODER, weights(math.nan, "classifier")):
        assert f"{ENCODER}: weight 'weight' holds NaN" in world.refused_in_one_line(
            VERBS["classify"], capsys
        )


@pytest.mark.parametrize("task", [*ON_FEATURES, "lost_joints", "semi_probe"])
@pytest.mark.parametrize("value", [math.nan, -math.inf, 1e20])
@pytest.mark.parametrize("side", ["train", "test"])
def test_features_that_are_not_finite_give_no_accuracy(
    task: str, value: float, side: str, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """The square of 1e20 is infinite in float32: divided by its length such a clip is zero, and
    next to all others.
    """
    with world.damaged(FEATURES, arrays(side, value)):
        said = world.refused_in_one_line(VERBS[task], capsys)
    assert f"{FEATURES}: not a readable features file ({side}: row 1 of" in said


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e38])
def test_scores_that_are_not_finite_are_neither_fused_nor_compared(
    value: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sum of NaN and anything is NaN; of two times 1e38 and more it is infinite."""
    scores = f"{CELL}/linear.scores.npz"
    with world.damaged(scores, arrays("scores", value)):
        for words in (
            world.fuse("out/f"),
            ["compare", scores, scores],
            ["report", "--suite", "tiny", "--out", "out/t"],
        ):
            assert (
                f"{scores}: not a readable scores file (scores: row 1 of"
                in world.refused_in_one_line(words, capsys)
            )


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "1e20", "true"])
@pytest.mark.parametrize("key", ["value", "seconds"])
def test_rows_that_are_not_finite_reach_no_table_and_no_store(
    number: str, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of them makes the mean of all seeds not a number."""
    file = f"{CELL}/linear.json"

    def change(path: Path) -> None:
        content = json.loads(path.read_text())
        content["rows"][0][key] = "here"
        path.write_text(json.dumps(content).replace('"here"', number))

    with world.damaged(file, change):
        for words in (
            "report --suite tiny --out out/t",
            "page --suite tiny --out out/p.html",
            "track --suite tiny --out out/t.json",
        ):
            said = world.refused_in_one_line(words.split(), capsys)
            assert file in said
            assert "expected a finite number" in said


@pytest.mark.parametrize("file", [f"{HOME}/curve.jsonl", f"{HOME}/run.json", f"{CELL}/linear.json"])
def test_no_number_of_a_curve_or_record_may_be_nan(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python writes and reads NaN in JSON; nobody else does."""

    def change(path: Path) -> None:
        path.write_text(path.read_text().replace('"seconds": ', '"seconds": NaN, "was": ', 1))

    with world.damaged(file, change):
        assert f"{file}: not a readable" in world.refused_in_one_line(
            ["report", "--suite", "tiny", "--out", "out/t"], capsys
        )


@pytest.mark.parametrize("task", ["linear", "finetune", "semi", "detection", "prediction"])
def test_a_task_that_diverges_says_so(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rate of 1e38 gives NaN scores after two steps, and NaN scores an accuracy."""
    diverging: dict[str, Any] = {"lr": 1e38, "epochs": 3}
    change = diverging if task == "linear" else {"train": diverging}
    world.settings(tmp_path / "params.yaml", tasks=world.TASKS | {task: world.TASKS[task] | change})
    said = world.refused_in_one_line(
        [*VERBS[task], "--params", str(tmp_path / "params.yaml")], capsys
    )
    assert "lower" in said
    assert not list(Path("out").glob("*"))


@pytest.mark.parametrize(("rate", "epochs"), [(1e38, 3), (1e39, 1)])
def test_a_training_that_diverges_keeps_nothing_of_the_epoch(
    rate: float, epochs: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """The loss of the last step is of the weights before it: they can be infinite while every loss
    was finite.
    """
    train = {"train": world.TRAIN | {"lr": rate, "epochs": epochs, "batch_size": 64}}
    world.settings(
        tmp_path / "params.yaml", methods=world.METHODS | {"supervised": world.SHAPE | train}
    )
    out = tmp_path / "run/encoder.pt"
    words = f"pretrain --run {world.RUN} --array array --out {out} --device cpu"
    words += f" --params {tmp_path}/params.yaml"
    code, said = world.ran(words.split(), capsys)
    assert code == 2
    assert f"{world.RUN}: epoch" in said[-1]
    assert "lower train.lr" in said[-1]
    assert not out.exists()
    kept = out.with_name("last.pt")
    if kept.exists():
        assert all(
            tensor.isfinite().all()
            for tensor in torch.load(kept, weights_only=True)["method"].values()
        )


@pytest.mark.parametrize("value", [math.nan, math.inf, 2 * LARGEST])
def test_files_of_arrays_hold_finite_numbers_only(value: float, tmp_path: Path) -> None:
    """The last net: whoever writes, the one function that does says which row is wrong, and writes
    nothing.
    """
    array = np.zeros((3, 2), np.float32)
    array[1, 1] = value
    for name, write in (
        ("f.npy", save_npy),
        ("f.npz", lambda path, values: save_npz(path, {"array": values})),
    ):
        with pytest.raises(
            UserError, match=rf"{name}: array: row 1 of 3 holds .*; nothing was written"
        ):
            write(tmp_path / name, array)
    assert not list(tmp_path.iterdir())


def test_json_holds_finite_numbers_only(tmp_path: Path) -> None:
    """Written NaN is no JSON, and 1e999 is read as infinity."""
    with pytest.raises(UserError, match=r"j: rows\[1\]\.value is nan, expected a finite number"):
        write_json(tmp_path / "j", {"rows": [{"value": 1.0}, {"value": math.nan}]})
    assert not (tmp_path / "j").exists()
    for number in ("NaN", "-Infinity", "-1e999"):
        (tmp_path / "k").write_text(f'{{"a": [{number}]}}')
        with pytest.raises(
            UserError, match=rf"k: not a file \(found {number}, expected a finite number\)"
        ):
            read_json(tmp_path / "k", Kind("file", "get it again"))
