"""Pre-training on the training sides of several data sets."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from arrays import write_array
from settings_files import read_settings, write_settings

from pstl import config, graph
from pstl.config import Params, Run, check_plugins
from pstl.data.store import open_array
from pstl.errors import UserError
from pstl.plan import bill, sizes
from pstl.train import encoder_file, loop
from pstl.train.pretrain import pretrain

from .conftest import make_array, make_params

CPU = torch.device("cpu")
RUN = Run(suite="tiny", dataset="nwucla", split="xview", method="pstl", stream="joint", seed=0)
CORPUS = ["nwucla/xview", "msraction3d/xsub"]  # the run's own may be named, too


def params_of(folder: Path, corpus: list[str], method: str = "pstl", **experiment: Any) -> Params:
    """The small world, one of whose methods has a corpus."""
    make_params(folder)
    content = read_settings(folder)
    content["methods"][method]["corpus"] = corpus
    content["suites"]["tiny"]["experiments"][0] |= experiment
    return config.load(write_settings(folder, content))


def other(folder: Path, seed: int = 1, y: Any = None) -> Path:
    """24 clips that claim to be of MSR Action3D, 16 of them for training."""
    data = open_array(make_array(folder, y, seed))
    meta = {**data.meta, "dataset": "msraction3d", "skeleton": "msr20"}
    splits = {"xsub": data.splits["xview"]}
    content = data.content + np.uint64(1000)
    write_array(folder, replace(data, meta=meta, splits=splits, content=content))
    return folder


def weights(path: Path) -> dict[str, torch.Tensor]:
    return encoder_file.load(path)[1].state_dict()


def same(a: Path, b: Path) -> bool:
    first, second = weights(a), weights(b)
    return all(torch.equal(first[key], second[key]) for key in first)


def test_a_corpus_of_the_run_alone_gives_the_bits_of_none(tmp_path: Path) -> None:
    """Whoever compares with and without other data must compare nothing else."""
    array = make_array(tmp_path / "array")
    pretrain(make_params(tmp_path), RUN, array, tmp_path / "without/encoder.pt", CPU)
    pretrain(params_of(tmp_path, CORPUS[:1]), RUN, array, tmp_path / "with/encoder.pt", CPU)
    assert same(tmp_path / "with/encoder.pt", tmp_path / "without/encoder.pt")


def test_other_clips_are_trained_on_and_their_labels_are_not(tmp_path: Path) -> None:
    """A corpus that changes nothing, or one that tells classes, is none."""
    array, params = make_array(tmp_path / "array"), params_of(tmp_path, CORPUS)
    corpora = {
        "true": other(tmp_path / "true"),
        "relabelled": other(tmp_path / "relabelled", y=np.zeros(24, dtype=np.int64)),
        "others": other(tmp_path / "others", seed=2),
    }
    outs = {name: tmp_path / f"{name}.out/encoder.pt" for name in corpora}
    for name, folder in corpora.items():
        pretrain(params, RUN, array, outs[name], CPU, corpus=[folder])
    assert same(outs["true"], outs["relabelled"])
    assert not same(outs["true"], outs["others"])
    provenance = encoder_file.load(outs["true"])[0].provenance
    sums = {name: open_array(folder).meta["checksum"] for name, folder in corpora.items()}
    assert provenance["corpus"]["msraction3d/xsub"] == {"clips": 16, "checksum": sums["true"]}
    assert provenance["corpus"]["nwucla/xview"]["checksum"] == provenance["data_checksum"]
    digests = {encoder_file.load(out)[0].provenance["settings_digest"] for out in outs.values()}
    assert len(digests) == 3


def test_a_resumed_run_with_a_corpus_equals_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interruption after the first epoch must leave no trace."""
    array, folder = make_array(tmp_path / "array"), other(tmp_path / "other")
    params, out = params_of(tmp_path, CORPUS), tmp_path / "broken/encoder.pt"
    pretrain(params, RUN, array, tmp_path / "whole/encoder.pt", CPU, corpus=[folder])
    epoch = loop.train_epoch

    def killed(*args: Any) -> dict[str, float]:
        if args[1] == 1:
            raise KeyboardInterrupt
        return epoch(*args)

    monkeypatch.setattr(loop, "train_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        pretrain(params, RUN, array, out, CPU, corpus=[folder])
    with pytest.raises(KeyboardInterrupt):
        pretrain(params, RUN, array, out, CPU, corpus=[other(tmp_path / "changed", seed=2)])
    assert len(list(out.parent.glob("last.pt.????????????"))) == 1  # of the corpus before
    monkeypatch.setattr(loop, "train_epoch", epoch)
    pretrain(params, RUN, array, out, CPU, corpus=[folder])
    assert same(out, tmp_path / "whole/encoder.pt")
    lines = (tmp_path / "whole/curve.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [4, 8]  # 32 clips in batches of 8


def test_arrays_are_those_that_the_entry_names(tmp_path: Path) -> None:
    """One that is forgotten, or too many, trains on something else than the tables say."""
    array, folder = make_array(tmp_path / "array"), other(tmp_path / "other")
    out, asked = tmp_path / "out/encoder.pt", params_of(tmp_path, CORPUS)
    with pytest.raises(UserError, match=r"corpus of none, .* names msraction3d; pass"):
        pretrain(asked, RUN, array, out, CPU)
    with pytest.raises(UserError, match=r"corpus of msraction3d, .* names none; pass"):
        pretrain(make_params(tmp_path), RUN, array, out, CPU, corpus=[folder])
    data = open_array(folder)
    write_array(folder, replace(data, meta={**data.meta, "recipe": {"name": "spine300"}}))
    with pytest.raises(UserError, match=r"msraction3d by \{'name': 'spine300'\}, expected"):
        pretrain(params_of(tmp_path, CORPUS), RUN, array, out, CPU, corpus=[folder])


@pytest.mark.parametrize(
    ("corpus", "method", "experiment", "said"),
    [
        (CORPUS, "supervised", {}, "supervised learns from labels"),
        (["nwucla/xsub"], "pstl", {}, "unknown split in the corpus of pstl 'xsub'"),
        (["nwucl/xview"], "pstl", {}, "did you mean nwucla?"),
        (["nwucla"], "pstl", {}, "corpus.0: expected dataset/split, e.g. ntu60/xview (found"),
        (["utkinect/xsub", "utkinect/xsub_without_1"], "pstl", {}, "utkinect stands there twice"),
        (["nwucla/xview_disjoint"], "pstl", {}, "are of the same clips"),
        (["ntu60/xview", "ntu120/xsub"], "pstl", {}, "ntu60/xview trains on clips that ntu120"),
        (
            ["ntu60/xsub"], "pstl", {"dataset": "ntu60", "splits": ["xview"]},
            "ntu60/xview trains on clips that ntu60/xsub",
        ),
        (
            ["utkinect/xsub"], "pstl",
            {"dataset": "ntu120", "splits": ["xsub"], "sources": ["ntu60/xview"]},
            "ntu60/xview trains on clips that ntu120/xsub tests on",
        ),
    ],
)  # fmt: skip
def test_a_corpus_that_cannot_be_stops_before_the_first_job(
    corpus: list[str], method: str, experiment: Any, said: str, tmp_path: Path
) -> None:
    """An encoder that has seen a test side looks like a better one."""
    with pytest.raises(UserError) as refused:
        check_plugins(params_of(tmp_path, corpus, method, **experiment), "tiny")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_job_reads_every_array_and_its_check_and_the_bill_counts_its_clips(
    tmp_path: Path,
) -> None:
    """What the graph forgets is not made before it is read; what the bill forgets costs days."""
    params = params_of(tmp_path, [*CORPUS, "utkinect/xsub"], methods=["pstl"])
    arrays = ["data/arrays/msraction3d/resize50", "data/arrays/utkinect/resize50"]
    assert graph.corpus(params, RUN) == arrays
    checks = ["nwucla/resize50/xview", "msraction3d/resize50/xsub", "utkinect/resize50/xsub"]
    assert graph.leakages(params, RUN) == [f"data/leakage/{check}.json" for check in checks]
    assert {"skeletons.kinect_v1", "skeletons.msr20"} <= set(
        graph.modules(params, graph.Job("pretrain", run=RUN))
    )
    assert sizes.training_clips(params, RUN) == 1020 + 284 + 100
    jobs = bill.jobs(params, "tiny")
    assert (jobs["prepare"], jobs["leakage"], jobs["pretrain"]) == (3, 3, 1)
