"""The recurrent encoder: where a clip ends, and how its weights begin."""

import math

import pytest
import torch

from pstl.backbones import bigru
from pstl.skeletons import load

V1, V2 = load("kinect_v1"), load("kinect_v2")


def encoder(skeleton=V1, people=1, **cfg):
    torch.manual_seed(0)
    return bigru.Encoder(bigru.Config(**{"width": 8} | cfg), skeleton, people, 50).double().eval()


def clips(lengths, skeleton=V1, people=1, frames=50):
    """Random clips (N, 3, frames, V, people), zero beyond their lengths."""
    rng = torch.Generator().manual_seed(1)
    shape = (len(lengths), 3, frames, skeleton.joints, people)
    x = torch.randn(shape, generator=rng, dtype=torch.float64)
    for clip, length in zip(x, lengths, strict=True):
        clip[:, length:] = 0
    return x


def stepped(network, x):
    """Clip feature (2 W,) and rows (T, 2 W) of one clip (3, T, V, M), gate by gate and frame by
    frame, the reverse direction from the clip's last frame."""
    rows = x.permute(1, 3, 2, 0).flatten(1)  # person, joint, axis
    gru = network.gru
    for layer in range(gru.num_layers):
        directions = []
        for reverse in (False, True):
            w, u, b, c = gru.all_weights[2 * layer + reverse]
            size, state, states = gru.hidden_size, torch.zeros(gru.hidden_size).double(), []
            for row in rows.flip(0) if reverse else rows:
                (r, z, n), (rh, zh, nh) = (w @ row + b).split(size), (u @ state + c).split(size)
                r, z = torch.sigmoid(r + rh), torch.sigmoid(z + zh)
                state = (1 - z) * torch.tanh(n + r * nh) + z * state
                states.append(state)
            states = torch.stack(states)
            directions.append(states.flip(0) if reverse else states)
        rows = torch.cat(directions, dim=1)
    half = gru.hidden_size
    return torch.cat([rows[-1, :half], rows[0, half:]]), rows


def test_the_paper_s_encoder_has_the_paper_s_size():
    """A layer or direction less would be another network (Predict-Cluster spec 2.1)."""
    network = bigru.Encoder(bigru.Config(), V1, 1, 50)
    assert sum(weight.numel() for weight in network.parameters()) == 44_445_696
    assert network.width == 2048


@pytest.mark.parametrize(("skeleton", "people"), [(V1, 1), (V2, 2)])
def test_both_directions_read_each_clip_to_its_true_end(skeleton, people):
    """The reverse direction must begin at the last recorded frame: begun in the padding it would
    know how short a clip is, and forget the more of it the shorter it is."""
    network, lengths = encoder(skeleton, people), [50, 31, 2, 1]
    x = clips(lengths, skeleton, people)
    features = network(x)
    assert features.frames.shape == (4, 50, 16)
    for i, length in enumerate(lengths):
        clip, rows = stepped(network, x[i, :, :length])
        torch.testing.assert_close(features.clip[i], clip)
        torch.testing.assert_close(features.frames[i, :length], rows)
        assert not features.frames[i, length:].any()


def test_padding_and_holes_change_no_feature_they_should_not():
    """Arrays are as long as their longest clip: how long that is says nothing about a clip. A hole
    in the middle is time that passed."""
    network = encoder()
    x = clips([20, 33])
    alone = network(x[:1, :, :20]).clip
    torch.testing.assert_close(network(x).clip[:1], alone)
    torch.testing.assert_close(network(torch.cat([x, x.new_zeros(x.shape)], 2)).clip[:1], alone)
    x[0, :, 10] = 0
    assert (network(x).clip[0] - alone[0]).abs().max() > 1e-3


def test_absent_people_and_lost_joints_are_zeros():
    """Another data set may have fewer people; a joint that is dropped is not there at all."""
    network, x = encoder(people=2), clips([30, 40], people=2)
    x[..., 1] = 0
    torch.testing.assert_close(network(x[..., :1]).clip, network(x).clip)
    lost = x.clone()
    lost[:, :, :, [3, 7]] = 0
    dropped = network(x, torch.tensor([3, 7])).clip
    torch.testing.assert_close(dropped, network(lost).clip)
    assert torch.isfinite(network(torch.zeros_like(x)).clip).all()


def test_full_precision_under_autocast():
    """What is rounded in a frame would be in all that follow."""
    network, x = encoder().float(), clips([50, 20]).float()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network(x)
    assert rounded.clip.dtype == torch.float32
    torch.testing.assert_close(rounded, network(x))


def test_weights_begin_as_the_released_code_s():
    """An untrained encoder is a floor, and a fixed decoder stays as it began: both depend on how
    large the first weights are (Predict-Cluster spec 2.2)."""
    network = bigru.Encoder(bigru.Config(width=64), V1, 1, 50)
    of_input, of_state, input_bias, state_bias = network.gru.all_weights[0]
    for weight in (of_input, of_state):
        for part, wide in ((weight[:128], 128), (weight[128:], 64)):
            bound = math.sqrt(6 / (60 + 64 + wide))
            assert 0.97 * bound < part.abs().max() <= bound
            assert abs(part.mean()) < 0.05 * bound
    assert input_bias.tolist() == [1.0] * 128 + [0.0] * 64
    assert not state_bias.any()
    xavier = bigru.Encoder(bigru.Config(width=64, initial="xavier"), V1, 1, 50)
    of_input, of_state, input_bias, _ = xavier.gru.all_weights[0]
    assert 0.97 < of_input.abs().max() / math.sqrt(6 / (60 + 192)) <= 1
    assert 0.97 < of_state.abs().max() / math.sqrt(6 / (64 + 192)) <= 1
    assert 0 < input_bias.abs().max() <= 1 / 8


def test_displacements_stand_beside_the_positions_where_they_are_asked_for():
    """Speed tells push from standing; the paper's encoder sees positions alone."""
    plain, moving = encoder(), encoder(motion=5.0)
    assert moving.gru.input_size == 2 * plain.gru.input_size
    x = clips([50, 20])
    assert torch.equal(moving(x).frames[1, 20:], torch.zeros(30, 16).double())
    half = plain.gru.input_size
    with torch.no_grad():
        for name, weight in moving.gru.named_parameters():
            source = plain.gru.get_parameter(name)
            if name.startswith("weight_ih_l0"):
                weight[:, :half], weight[:, half:] = source, 0
            else:
                weight.copy_(source)
    torch.testing.assert_close(moving(x).clip, plain(x).clip)
