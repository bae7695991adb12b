"""Checkpoints of other people's code: however they are wrapped, what is in them is found, or said
in their own names.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pstl import cli
from pstl.errors import UserError
from pstl.hub.embed_arrays import embed
from pstl.hub.import_weights import Told, import_weights
from pstl.located import encoder_in
from pstl.skeletons import load as load_skeleton
from pstl.skeletons.graph import spatial_partition
from pstl.train import encoder_file
from pstl.train.checkpoint import read
from tests.official import imported, importer_of

CPU = torch.device("cpu")
FILES = {
    "pstl": "pstl_official.pt",
    "scdnet": "scdnet_official.pth.tar",
    "hitrs": "hitrs_official.pt",
    "psp": "psp_official.state",
}


@pytest.fixture
def content(shared: Path, request: pytest.FixtureRequest) -> dict[str, Tensor]:
    """The bare encoder of a released checkpoint, with what else stands in its dictionary."""
    checkpoint = read(shared / "parity" / FILES[request.param])
    return dict(encoder_in(checkpoint, importer_of(request.param).anchor).encoder)


def front(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in state.items()}


def twin(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A momentum encoder, whose weights are not those one wants."""
    return front({name: torch.zeros_like(value) for name, value in state.items()}, "encoder_k.")


ABOUT_SIZES = (
    "do not go together",
    "joints",
    "shapes of its weights",
)  # where the one weight at fault cannot be told
WRAPPERS = {
    "bare": lambda state: state,
    "module": lambda state: front(state, "module."),
    "query": lambda state: front(state, "encoder_q.") | twin(state) | {"queue": torch.zeros(8, 4)},
    "both": lambda state: {"epoch": 3, "state_dict": front(state, "module.encoder_q.")},
    "model": lambda state: {"model": state, "optimizer": {}},
    "deep": lambda state: {
        "checkpoint": {"model_state_dict": front(state, "backbone.")},
        "args": {"lr": 0.1},
    },
}


@pytest.mark.parametrize(
    ("content", "wrapper"),
    [("pstl", wrapper) for wrapper in WRAPPERS]
    + [(source, wrapper) for source in ("scdnet", "hitrs", "psp") for wrapper in ("query", "deep")],
    indirect=["content"],
)
def test_an_encoder_is_found_however_it_is_wrapped(
    content: dict[str, Tensor], wrapper: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Whether somebody trained on several GPUs or kept the momentum twin must not decide whether
    the weights can be read.
    """
    source = request.node.callspec.params["content"]
    torch.save(WRAPPERS[wrapper](content), tmp_path / "theirs.pt")
    import_weights(source, tmp_path / "theirs.pt", tmp_path / "encoder.pt")
    ours, theirs = (
        encoder_file.load(tmp_path / "encoder.pt")[1].state_dict(),
        imported(source, content).weights,
    )
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("content", FILES, indirect=True)
def test_what_is_missing_is_told_in_the_files_names(
    content: dict[str, Tensor], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Who looks into the file finds no name of ours there; each of its weights is taken away, or
    given another shape, in turn.
    """
    source = request.node.callspec.params["content"]
    state = front(content, "encoder_q.")
    some = list(state)[:: len(state) // 5]
    used = [name for name in some if _is_used(source, content, name.removeprefix("encoder_q."))]
    assert len(used) > 2
    for name in used:
        less = {key: value for key, value in state.items() if key != name}
        for broken in (less, less | {name: torch.cat([state[name].flatten(), torch.zeros(7)])}):
            torch.save(broken, tmp_path / "broken.pt")
            with pytest.raises(UserError) as error:
                import_weights(source, tmp_path / "broken.pt", tmp_path / "encoder.pt")
            said = str(error.value)
            assert str(tmp_path / "broken.pt") in said
            assert any(
                words in said for words in (_family(name), importer_of(source).anchor, *ABOUT_SIZES)
            ), said
            assert not any(
                ours in said for ours in ("input_norm", "blocks.", "trunk.", "_stem.", "_level.")
            ), said
    assert not (tmp_path / "encoder.pt").exists()


def _is_used(source, content, name: str) -> bool:
    """Whether the encoder has this weight: heads and fixed tables may be missing."""
    try:
        rest = {key: value for key, value in content.items() if key != name}
        without = imported(source, rest).weights
    except (LookupError, UserError):
        return True
    return without.keys() != imported(source, content).weights.keys()


def _family(name: str) -> str:
    """The part of a name that a weight made of several shares with the others."""
    return name.rpartition(".")[0].split(".convs.")[0].split(".branches.")[0].split(".w_")[0]


@pytest.mark.parametrize(
    ("source", "stranger"),
    [(a, b) for a in FILES for b in (*FILES, "nothing", "numbers") if a != b],
)
def test_a_file_of_another_kind_is_refused(
    source: str, stranger: str, shared: Path, tmp_path: Path
) -> None:
    """One line with the file's path, what it holds and what was looked for; nothing is written."""
    path = tmp_path / "x.pt"
    torch.save({"nothing": {}, "numbers": {"lr": 0.1, "deep": [1, 2]}}.get(stranger, {}), path)
    if stranger in FILES:
        path = shared / "parity" / FILES[stranger]
    expected = rf"{path.name}: not a checkpoint of the released {source} code: found .*; "
    expected += "expected one called .*"
    with pytest.raises(UserError, match=expected):
        import_weights(source, path, tmp_path / "encoder.pt")
    assert not (tmp_path / "encoder.pt").exists()


def test_several_encoders_are_not_chosen_from(shared: Path, tmp_path: Path) -> None:
    """Three-stream code keeps all of them in one file; which one is wanted only people know."""
    state = read(shared / "parity/pstl_official.pt")
    both = front(state, "encoder_q.") | front(
        {k: v * 2 if v.is_floating_point() and k != "A" else v for k, v in state.items()},
        "encoder_q_bone.",
    )
    torch.save(both, tmp_path / "three.pt")
    with pytest.raises(UserError, match=r"'encoder_q\.', 'encoder_q_bone\.'; name one with --part"):
        import_weights("pstl", tmp_path / "three.pt", tmp_path / "encoder.pt")
    card = import_weights(
        "pstl",
        tmp_path / "three.pt",
        tmp_path / "encoder.pt",
        Told(part="encoder_q_bone", stream="bone"),
    )
    assert card.stream == "bone"
    _, encoder = encoder_file.load(tmp_path / "encoder.pt")
    assert torch.equal(encoder.state_dict()["input_norm.weight"], 2 * state["data_bn.weight"])


def test_what_is_said_of_a_foreign_file_commands_no_terminal(tmp_path: Path) -> None:
    """Libraries print their reasons in bold, and quote names that a stranger chose; in a log that
    is noise, or worse.
    """
    torch.save({"model": tmp_path}, tmp_path / "pickled.pt")
    with pytest.raises(UserError, match="holds more than tensors and plain values") as refused:
        import_weights("pstl", tmp_path / "pickled.pt", tmp_path / "encoder.pt")
    assert str(refused.value).isprintable()


def test_encoders_in_dictionaries_are_named_by_their_keys(shared: Path, tmp_path: Path) -> None:
    """A net beside its moving average, each bare in its own dictionary: the message's names are
    what --part takes.
    """
    state = read(shared / "parity/pstl_official.pt")
    torch.save(
        {"net": state, "ema": state | {"data_bn.weight": 2 * state["data_bn.weight"]}},
        tmp_path / "two.pt",
    )
    with pytest.raises(UserError, match=r"2 encoders, of 'net\.', 'ema\.'; name one with --part"):
        import_weights("pstl", tmp_path / "two.pt", tmp_path / "encoder.pt")
    for part, factor in {"net.": 1, "ema": 2}.items():
        import_weights("pstl", tmp_path / "two.pt", tmp_path / "encoder.pt", Told(part=part))
        _, encoder = encoder_file.load(tmp_path / "encoder.pt")
        assert torch.equal(
            encoder.state_dict()["input_norm.weight"], factor * state["data_bn.weight"]
        )


def test_half_precision_is_no_other_body(shared: Path, tmp_path: Path) -> None:
    """Checkpoints are often shared in float16, which rounds the graph; that must not read as other
    bones.
    """
    state = read(shared / "parity/pstl_official.pt")
    torch.save(
        {
            name: value.half() if value.is_floating_point() else value
            for name, value in state.items()
        },
        tmp_path / "half.pt",
    )
    card = import_weights("pstl", tmp_path / "half.pt", tmp_path / "encoder.pt")
    assert card.skeleton == "kinect_v2"
    _, encoder = encoder_file.load(tmp_path / "encoder.pt")
    weight = encoder.state_dict()["input_norm.weight"]
    assert weight.dtype == torch.float32
    assert torch.equal(weight, state["data_bn.weight"].half().float())


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("ntu60", "its head has 10 classes, expected the 60 of ntu60"),
        ("nowhere", "unknown dataset 'nowhere'"),
    ],
)
def test_a_head_has_the_classes_of_the_data_set_it_is_said_to_be_of(
    dataset: str, expected: str, shared: Path, tmp_path: Path
) -> None:
    """A head of 10 classes recorded as NTU-60's would name every prediction wrong; nothing is
    written.
    """
    state = read(shared / "parity/pstl_official.pt")
    torch.save(
        state | {"fc.weight": torch.zeros(10, 256), "fc.bias": torch.zeros(10)}, tmp_path / "ten.pt"
    )
    with pytest.raises(UserError, match=expected):
        import_weights("pstl", tmp_path / "ten.pt", tmp_path / "encoder.pt", Told(dataset=dataset))
    assert not (tmp_path / "encoder.pt").exists()
    import_weights("pstl", tmp_path / "ten.pt", tmp_path / "encoder.pt", Told(dataset="nwucla"))


def test_the_body_is_the_released_codes_or_named(shared: Path, tmp_path: Path) -> None:
    """Twenty joints may be two bodies: neither is chosen, and a graph with other bones than the
    named body's is refused.
    """
    state, v1 = dict(read(shared / "parity/pstl_official.pt")), load_skeleton("kinect_v1")
    for name, value in state.items():
        if value.shape[-2:] == (25, 25):
            state[name] = value[..., :20, :20].contiguous()
        if name.startswith("data_bn.") and value.dim():
            state[name] = value[:60]
    state["A"] = torch.from_numpy(spatial_partition(v1))
    torch.save(state, tmp_path / "v1.pt")
    with pytest.raises(
        UserError,
        match=r"for 20 joints, expected the 25 of kinect_v2; "
        r".*--skeleton: kinect_v1 or msr20 or utd20 would fit",
    ):
        import_weights("pstl", tmp_path / "v1.pt", tmp_path / "encoder.pt")
    with pytest.raises(UserError, match="other bones than msr20"):
        import_weights("pstl", tmp_path / "v1.pt", tmp_path / "encoder.pt", Told("msr20"))
    assert (
        import_weights(
            "pstl", tmp_path / "v1.pt", tmp_path / "encoder.pt", Told("kinect_v1")
        ).skeleton
        == "kinect_v1"
    )


@pytest.mark.parametrize("name", ["aimclr_ntu60_xview_joint.pt", "actclr_ntu60_xview_joint.pt"])
def test_weights_of_the_same_line_are_read_with_their_head(
    name: str, shared: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """AimCLR's and ActCLR's trained encoders are PSTL's network: features by `embed`, and the head
    that was trained on them.
    """
    path = shared / "weights" / name
    if not path.is_file():
        pytest.skip(f"no {name} in ../shared/weights")
    caplog.set_level("INFO")
    cli.main(
        [
            "import-weights",
            "--source",
            "pstl",
            "--dataset",
            "ntu60",
            str(path),
            str(tmp_path / "encoder.pt"),
        ]
    )
    assert "encoder found below 'encoder_q.'" in caplog.text
    assert "a classifier of 60 classes, of ntu60: encoder_q.fc.weight" in caplog.text
    np.save(tmp_path / "x.npy", np.load(shared / "parity/pstl.npz")["x"])
    embed(tmp_path / "encoder.pt", tmp_path / "x.npy", tmp_path / "f.npy", None, [], CPU)
    head, features = (
        encoder_file.load_classifier(tmp_path / "encoder.pt"),
        torch.from_numpy(np.load(tmp_path / "f.npy")),
    )
    assert features.shape == (6, 256)
    with torch.no_grad():
        scores = head(features)
    theirs = read(path)
    expected = torch.nn.functional.conv2d(
        features[..., None, None], theirs["encoder_q.fc.weight"], theirs["encoder_q.fc.bias"]
    )
    torch.testing.assert_close(scores, expected.flatten(1), atol=1e-4, rtol=1e-4)


def test_a_projector_is_no_classifier(shared: Path, tmp_path: Path) -> None:
    """In pre-training `fc` projects features for the loss; beside a queue or a twin its outputs are
    no classes.
    """
    state = dict(read(shared / "parity/pstl_official.pt")) | {
        "fc.weight": torch.zeros(128, 256),
        "fc.bias": torch.zeros(128),
    }
    for others in ({"queue": torch.zeros(128, 9)}, twin(state)):
        torch.save(front(state, "encoder_q.") | others, tmp_path / "pretrained.pt")
        import_weights("pstl", tmp_path / "pretrained.pt", tmp_path / "encoder.pt")
        assert encoder_file.load_classifier(tmp_path / "encoder.pt") is None


def test_an_encoder_is_written_as_what_it_is_read(tmp_path: Path) -> None:
    """`pstl.load` and `embed` take a file of weights by its ending: under another it could not be
    found again.
    """
    with pytest.raises(UserError, match=r"e\.npz: .*known: \.pt"):
        import_weights("pstl", tmp_path / "official.pt", tmp_path / "e.npz")
    assert not list(tmp_path.iterdir())
