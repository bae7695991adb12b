"""Checkpoints of AimCLR's family: which encoder of a file is taken, and what of it, is said."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pstl.backbones.stgcn import Config, Encoder
from pstl.errors import UserError
from pstl.hub.embed_arrays import embed
from pstl.hub.export import export
from pstl.hub.finding import find
from pstl.hub.import_weights import Told, import_weights
from pstl.importers._stgcn import RENAMED
from pstl.registry import load_dataset
from pstl.skeletons import load
from pstl.skeletons.graph import spatial_partition
from pstl.train import encoder_file
from pstl.train.checkpoint import read

State = dict[str, Tensor]
STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


def official(seed: int = 0) -> State:
    """A small encoder by the released names, without a head."""
    torch.manual_seed(seed)
    skeleton = load("kinect_v2")
    state: State = {"A": torch.from_numpy(spatial_partition(skeleton))}
    for name, value in Encoder(Config(width=1), skeleton, 2, 50).state_dict().items():
        for theirs, ours in reversed(RENAMED):
            name = name.replace(ours, theirs)
        state[name] = torch.rand_like(value) if value.is_floating_point() else value
    return state


def front(prefix: str, state: State) -> State:
    return {prefix + name: value for name, value in state.items()}


def imported(state: object, folder: Path, told: Told | None = None) -> State:
    """The encoder's weights after the verb."""
    torch.save(state, folder / "theirs.pt")
    import_weights("aimclr", folder / "theirs.pt", folder / "encoder.pt", told)
    return dict(encoder_file.load(folder / "encoder.pt")[1].state_dict())


PROJECTOR = {"fc.0.weight": torch.ones(16, 16), "fc.2.weight": torch.ones(8, 16)}
BIASES = {"fc.0.bias": torch.ones(16), "fc.2.bias": torch.ones(8)}
QUEUE = {"queue": torch.zeros(8, 32), "queue_ptr": torch.zeros(1)}


def three_streams() -> State:
    """As CrosSCLR's three views are saved: heads of motion and bone contain joint's."""
    nested = {"fc.0.weight": torch.ones(16, 16), "fc.2.0.weight": torch.ones(16, 16)}
    state = {**QUEUE, "queue_motion": torch.zeros(8, 32)}
    for seed, stream in enumerate(("", "_motion", "_bone")):
        head = nested if stream else PROJECTOR
        state |= front(f"encoder_q{stream}.", official(seed) | head)
        state |= front(f"encoder_k{stream}.", official(10 + seed) | head)
    return state


@pytest.mark.parametrize("wrap", ["", "module."])
@pytest.mark.parametrize(("seed", "stream"), [(0, "joint"), (1, "motion"), (2, "bone")])
def test_the_encoder_of_the_stream_is_taken(
    seed: int, stream: str, wrap: str, tmp_path: Path
) -> None:
    """Of three encoders in one file the wrong one gives plausible features of nothing."""
    state = {"epoch": 1, "state_dict": front(wrap, three_streams())}
    weights = imported(state, tmp_path, Told(stream=stream))
    assert torch.equal(weights["input_norm.bias"], official(seed)["data_bn.bias"])
    assert encoder_file.load(tmp_path / "encoder.pt")[0].stream == stream


def test_an_encoder_is_not_taken_for_another_stream(tmp_path: Path) -> None:
    """Named by --part, motion's encoder would otherwise be fed joints."""
    with pytest.raises(
        UserError, match=r"encoder_q_motion\.\* is the encoder of the stream motion"
    ):
        imported(three_streams(), tmp_path, Told(part="encoder_q_motion"))
    assert not (tmp_path / "encoder.pt").exists()


def test_an_encoder_alone_is_of_the_stream_that_is_named(tmp_path: Path) -> None:
    """Code of one stream calls its encoder the same, whatever it was trained on."""
    weights = imported(front("encoder_q.", official()), tmp_path, Told(stream="bone"))
    assert torch.equal(weights["input_norm.bias"], official()["data_bn.bias"])
    assert encoder_file.load(tmp_path / "encoder.pt")[0].stream == "bone"


def test_a_projector_is_said_to_be_none_and_momentum_twins_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was left out must be told from what was lost, in the names that the file has."""
    caplog.set_level("INFO")
    head = PROJECTOR | BIASES
    state = front("encoder_q.", official() | head) | front("encoder_k.", official(1) | head)
    imported(front("module.", state | QUEUE), tmp_path)
    assert encoder_file.load_classifier(tmp_path / "encoder.pt") is None
    said = caplog.text
    assert "module.encoder_q.st_gcn_networks.0.gcn.conv.weight (3, 3, 1, 1)" in said
    assert "no classifier: module.encoder_q.fc.0.weight (16, 16)" in said
    count = len(official() | head)
    assert f"module.encoder_k ({count} tensors, a momentum encoder)" in said
    assert "module.queue (8, 32), module.queue_ptr (1,)" in said


@pytest.mark.parametrize("shape", [(60, 16), (60, 16, 1, 1)])
def test_a_linear_head_becomes_the_classifier(
    shape: tuple[int, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """AimCLR's is a linear layer, ActCLR's a convolution of one place; both name classes."""
    caplog.set_level("INFO")
    head = {"fc.weight": torch.rand(shape), "fc.bias": torch.rand(60)}
    imported(front("encoder_q.", official() | head), tmp_path, Told(dataset="ntu60"))
    layer = encoder_file.load_classifier(tmp_path / "encoder.pt")
    assert layer is not None
    assert torch.equal(layer.weight, head["fc.weight"].flatten(1))
    assert f"a classifier of 60 classes, of ntu60: encoder_q.fc.weight {shape}" in caplog.text


def test_importances_are_read_by_both_names(tmp_path: Path) -> None:
    """HiCLR numbers them from 1: read as they stand, each block would get its neighbour's."""
    state = official()
    numbered = {
        f"edge_importance{int(name[16:]) + 1}"
        if name.startswith("edge_importance.")
        else name: value
        for name, value in state.items()
    }
    assert "edge_importance10" in numbered
    weights = imported(front("encoder_q.", numbered), tmp_path)
    for i in range(10):
        assert torch.equal(weights[f"importance.{i}"], state[f"edge_importance.{i}"])


def test_a_network_with_more_in_it_is_refused_in_its_own_names(tmp_path: Path) -> None:
    """Features of half a network are features of none."""
    state = front("encoder_q.", official() | {"slot_attn.weight": torch.ones(2)})
    with pytest.raises(UserError, match=r"weight encoder_q\.slot_attn\.weight: found \(2,\)"):
        imported(state, tmp_path)
    assert not (tmp_path / "encoder.pt").exists()


def released_forward(state: State, x: Tensor) -> Tensor:
    """The released ST-GCN in evaluation mode, by its own names (PSTL spec 4).

    x: (N, 3, T, V, M).   Returns: (N, D).
    """
    n, c, t, v, m = x.shape
    h = x.permute(0, 4, 3, 1, 2).reshape(n * m, v * c, t)
    h = norm(state, "data_bn", h).view(n * m, v, c, t).permute(0, 2, 3, 1)
    for i, stride in enumerate(STRIDES):
        at = f"st_gcn_networks.{i}."
        shortcut = torch.zeros(()) if i == 0 else h
        if f"{at}residual.0.weight" in state:
            shortcut = convolution(state, f"{at}residual.0", h, stride, 0)
            shortcut = norm(state, f"{at}residual.1", shortcut)
        graph = state["A"] * state[f"edge_importance.{i}"]
        y = convolution(state, f"{at}gcn.conv", h, 1, 0).unflatten(1, (3, -1))
        y = torch.einsum("nkctv,kvw->nctw", y, graph)
        y = F.relu(norm(state, f"{at}tcn.0", y))
        y = norm(state, f"{at}tcn.3", convolution(state, f"{at}tcn.2", y, stride, 4))
        h = F.relu(y + shortcut)
    return h.mean((2, 3)).view(n, m, -1).mean(1)


def norm(state: State, name: str, x: Tensor) -> Tensor:
    statistics = (state[f"{name}.running_mean"], state[f"{name}.running_var"])
    return F.batch_norm(x, *statistics, state[f"{name}.weight"], state[f"{name}.bias"])


def convolution(state: State, name: str, x: Tensor, stride: int, padding: int) -> Tensor:
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    return F.conv2d(x, weight, bias, (stride, 1), (padding, 0))


@pytest.mark.parametrize("name", ["aimclr_ntu60_xview_joint.pt", "actclr_ntu60_xview_joint.pt"])
def test_released_weights_give_the_features_and_classes_of_the_released_network(
    name: str, shared: Path, tmp_path: Path
) -> None:
    """The proof of the chain: file, importer, encoder, head, and the names of the classes."""
    path = shared / "weights" / name
    if not path.is_file():
        pytest.skip(f"no {name} in ../shared/weights")
    import_weights("aimclr", path, tmp_path / "encoder.pt", Told(dataset="ntu60"))
    x = np.load(shared / "parity/pstl.npz")["x"]
    np.save(tmp_path / "x.npy", x)
    features = tmp_path / "f.npy"
    embed(tmp_path / "encoder.pt", tmp_path / "x.npy", features, None, [], torch.device("cpu"))
    ours = torch.from_numpy(np.load(features))
    state = {key.removeprefix("encoder_q."): value for key, value in read(path).items()}
    theirs = released_forward(state, torch.from_numpy(x))
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)

    head = encoder_file.load_classifier(tmp_path / "encoder.pt")
    assert head is not None
    assert head.out_features == len(load_dataset("ntu60").spec.classes) == 60
    expected = F.conv2d(theirs[..., None, None], state["fc.weight"], state["fc.bias"]).flatten(1)
    torch.testing.assert_close(head(ours), expected, atol=1e-3, rtol=1e-4)
    assert torch.equal(head(ours).argmax(1), expected.argmax(1))


class Order:
    """What a pickle can do to who opens it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.file,)


@pytest.mark.parametrize("as_zip", [True, False])
def test_a_file_that_orders_code_to_be_run_is_refused_and_named_as_that(
    tmp_path: Path, as_zip: bool
) -> None:
    """Weights come from strangers; whoever is told 'truncated' fetches the same file again."""
    theirs, done = tmp_path / "theirs.pt", tmp_path / "done"
    content = {**official(), "order": Order(done)}
    torch.save(content, theirs, _use_new_zipfile_serialization=as_zip)
    with pytest.raises(UserError, match=r"more than tensors and plain values.*state_dict"):
        import_weights("aimclr", theirs, tmp_path / "encoder.pt")
    assert not done.exists()
    assert not (tmp_path / "encoder.pt").exists()


def test_an_exported_import_is_not_called_ours_and_keeps_its_head(tmp_path: Path) -> None:
    """Weights of others keep their licence; a head that vanishes unsaid is looked for."""
    head = {"fc.weight": torch.ones(60, 16, 1, 1), "fc.bias": torch.ones(60)}
    torch.save(official() | head, tmp_path / "theirs.pt")
    encoder = tmp_path / "encoder.pt"
    import_weights("aimclr", tmp_path / "theirs.pt", encoder, Told(dataset="ntu60"))
    export(encoder, tmp_path / "out")
    classifier = find(tmp_path / "out").classifier
    assert classifier.classes == load_dataset("ntu60").spec.classes
    assert bool((classifier.scores.weight == 1).all())
    card = (tmp_path / "out" / "README.md").read_text()
    assert "released them, as theirs.pt" in card
    assert "MIT" not in card
