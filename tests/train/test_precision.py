import json

import pytest
import torch

from benchmarks import methods as bench
from pstl import config
from pstl.config import TrainSettings
from pstl.train import loop, precision
from pstl.train.pretrain import pretrain

from .conftest import make_params
from .test_pretrain import run

CPU = torch.device("cpu")
AUTO = TrainSettings(epochs=1, lr=0.1, precision="auto")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"avx2", "avx512f", "avx512_bf16"}, "bf16"),
        ({"amx_bf16"}, "bf16"),
        ({"avx2", "avx512f"}, "fp32"),
        (set(), "fp32"),
    ],
)
def test_auto_is_bf16_only_where_the_processor_has_units_for_it(monkeypatch, flags, expected):
    """Emulated bf16 is nine times slower than fp32.

    A default tuned to one processor makes an hour of minutes.
    """
    monkeypatch.setattr(precision, "processor_flags", lambda: frozenset(flags))
    assert precision.chosen(AUTO, CPU).precision == expected


@pytest.mark.parametrize("named", ["fp32", "bf16"])
def test_a_named_precision_is_kept(monkeypatch, named):
    """Whoever names one wants that one, e.g. to repeat a kept result."""
    monkeypatch.setattr(precision, "processor_flags", lambda: frozenset({"avx512_bf16"}))
    settings = AUTO.model_copy(update={"precision": named})
    assert precision.chosen(settings, CPU) == settings


def test_tf32_is_fp32_where_there_is_none():
    """A row says in which format its encoder was trained, not which one was asked for."""
    settings = AUTO.model_copy(update={"precision": "tf32"})
    assert precision.chosen(settings, CPU).precision == "fp32"


@pytest.mark.parametrize(("named", "tf32"), [("fp32", False), ("tf32", True)])
def test_tf32_is_taken_where_the_settings_say_so_and_nowhere_else(
    monkeypatch, tmp_path, array, named, tf32
):
    """torch takes it for convolutions by itself: runs in `fp32` would keep 10 bits of 23."""
    seen = []

    def watched(*step):
        seen.append((torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()))
        return update(*step)

    update = loop.update
    monkeypatch.setattr(loop, "update", watched)
    monkeypatch.setattr(precision, "computes_tf32", lambda device: True)
    before = torch.backends.cudnn.allow_tf32
    params = make_params(tmp_path, precision=named)
    pretrain(params, run(), array, tmp_path / "encoder.pt", CPU)
    assert set(seen) == {(tf32, "high" if tf32 else "highest")}
    assert torch.backends.cudnn.allow_tf32 == before
    assert json.loads((tmp_path / "run.json").read_text())["precision"] == named


def test_auto_is_the_same_to_the_bit_as_what_it_chooses(monkeypatch, tmp_path, array):
    """The run's facts, its digest and its weights are those of the precision that was used."""
    monkeypatch.setattr(precision, "processor_flags", lambda: frozenset())
    facts = []
    for named in ("auto", "fp32"):
        params = make_params(tmp_path, precision=named)
        pretrain(params, run(), array, tmp_path / named / "encoder.pt", CPU)
        facts.append(json.loads((tmp_path / named / "run.json").read_text()))
    assert facts[0]["settings"]["train"]["precision"] == "fp32"
    assert facts[0]["run_id"] == facts[1]["run_id"]
    auto, plain = (
        torch.load(tmp_path / named / "encoder.pt")["state"] for named in ("auto", "fp32")
    )
    assert all(torch.equal(auto[key], plain[key]) for key in plain)


@pytest.mark.slow
def test_no_method_of_the_tour_trains_slower_than_in_fp32(root):
    """Where `auto` takes bf16 it must pay on the machine at hand.

    Processor seconds of one thread, side by side.
    """
    params = config.load(root / "params.yaml")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name in bench.trained_methods(params, "builtin"):
            section = params.method("builtin", name)
            if precision.chosen(section.train, CPU).precision == "bf16":
                # a busy machine disturbs single ones.
                tries = (speed_against_fp32(name, section) for _ in range(6))
                assert any(speed > 1 for speed in tries), name
    finally:
        torch.set_num_threads(threads)


def speed_against_fp32(name, section):
    plain = section.train.model_copy(update={"precision": "fp32"})
    sections = section, section.model_copy(update={"train": plain})
    rows = [bench.measure(name, s.model_dump(mode="json"), "cpu", 3) for s in sections]
    return rows[0]["train_clips_per_second"] / rows[1]["train_clips_per_second"]
