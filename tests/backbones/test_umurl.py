import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pstl.backbones.umurl import Config, Encoder, sinusoids, tokens_of
from pstl.errors import ShapeError
from pstl.ops.streams import STREAMS, convert
from pstl.skeletons import load

BODIES = [("kinect_v2", 2), ("kinect_v2", 1), ("kinect_v1", 2), ("kinect_v1", 1)]


def small_encoder(name="kinect_v2", people=2, frames=12, **cfg):
    torch.manual_seed(0)
    return Encoder(Config(**{"width": 16} | cfg), load(name), people, frames)


def clips(n=4, name="kinect_v2", people=2, frames=12):
    """Clips of which the even ones have one person, in the first slot."""
    shape = (n, 3, frames, load(name).joints, people)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    x[::2, ..., 1:] = 0
    return x


def plain_layer(width, layer):
    """The library's own post-norm layer, as the released code builds it, with our weights."""
    theirs = nn.TransformerEncoderLayer(width, 1, width, 0.0, batch_first=True)
    pairs = {
        "self_attn.in_proj_": layer.attend_in,
        "self_attn.out_proj.": layer.attend_out,
        "norm1.": layer.attend_norm,
        "linear1.": layer.feed_in,
        "linear2.": layer.feed_out,
        "norm2.": layer.feed_norm,
    }
    for name, module in pairs.items():
        for key, value in module.named_parameters():
            theirs.get_parameter(name + key).data = value.data
    return theirs


def plain_tokens(x):
    """Every number put into its place by itself."""
    n, c, t, v, m = x.shape
    by_frame, by_joint = torch.zeros(n, t, m * v * c), torch.zeros(n, m * v, t * c)
    for person in range(m):
        for joint in range(v):
            for axis in range(c):
                values = x[:, axis, :, joint, person]
                by_frame[:, :, (person * v + joint) * c + axis] = values
                by_joint[:, person * v + joint, axis::c] = values
    return by_frame, by_joint


def plain_features(encoder, x, streams):
    """The released forward pass: one stream, or the mean of three and the fusion."""
    width = encoder.width // 2
    sums = [0.0, 0.0]
    for stream in streams:
        for i, (axis, numbers) in enumerate(
            zip(
                ("temporal", "spatial"),
                plain_tokens(convert(x, encoder.skeleton, stream)),
                strict=True,
            )
        ):
            first, norm, _, last = encoder.embeddings[stream].get_submodule(axis)
            hidden = F.layer_norm(
                F.linear(numbers, first.weight, first.bias), (width,), norm.weight, norm.bias
            )
            sums[i] = sums[i] + F.linear(torch.relu(hidden), last.weight, last.bias)
    if len(streams) > 1:
        fusions = encoder.fusion.temporal.weight, encoder.fusion.spatial.weight
        sums = [
            (tokens / len(streams)) @ weight.T for tokens, weight in zip(sums, fusions, strict=True)
        ]
    temporal = plain_layer(width, encoder.layers.temporal)(sums[0] + encoder.layers.positions)
    spatial = plain_layer(width, encoder.layers.spatial)(sums[1])
    return torch.cat([temporal.max(1).values, spatial.max(1).values], dim=1)


@pytest.mark.parametrize("people", [1, 2])
def test_tokens_are_the_numbers_in_their_order(people):
    """Released weights and joints of one body meet only in this order (UmURL spec 1)."""
    x = torch.arange(2 * 3 * 5 * 4 * people).float().view(2, 3, 5, 4, people)
    by_frame, by_joint = plain_tokens(x)
    tokens = tokens_of(x)
    assert torch.equal(tokens.temporal, by_frame)
    assert torch.equal(tokens.spatial, by_joint)


@pytest.mark.parametrize("features", ["fused", *STREAMS])
@pytest.mark.parametrize(("name", "people"), BODIES)
def test_features_are_those_of_the_library_layers(name, people, features):
    """Written out with torch's own transformer, step by step (UmURL spec 2)."""
    encoder, x = small_encoder(name, people, features=features), clips(3, name, people)
    ours = encoder(x)
    theirs = plain_features(encoder, x, STREAMS if features == "fused" else [features])
    torch.testing.assert_close(ours.clip, theirs, atol=1e-5, rtol=1e-5)
    assert ours.frames.shape == (3, 12, 16)
    assert torch.equal(ours.clip[:, :16], ours.frames.amax(1))


def test_parameter_count_is_the_released_one():
    """22,067,200 for NTU; what is not counted is not there (UmURL spec 2)."""
    with torch.device("meta"):
        encoder = Encoder(Config(), load("kinect_v2"), 2, 64)
    assert sum(p.numel() for p in encoder.parameters()) == 22_067_200
    assert encoder.width == 2048


def test_positions_are_sines_and_cosines_by_turns():
    """Place 2i has sin(t / 10000^(2i / W)), place 2i + 1 its cosine."""
    table = sinusoids(5, 6)
    assert table[0].tolist() == [0, 1, 0, 1, 0, 1]
    assert float(table[3, 2]) == pytest.approx(torch.sin(torch.tensor(3 / 10000 ** (2 / 6))))
    assert float(table[3, 5]) == pytest.approx(torch.cos(torch.tensor(3 / 10000 ** (4 / 6))))


def test_frames_have_an_order_and_joints_have_none():
    """Positions are added to frames only; a joint is known by what it says (UmURL spec 2)."""
    layers = small_encoder().layers
    tokens = torch.randn(2, 12, 16)
    shuffled = tokens[:, torch.randperm(12)]
    same = layers.spatial(tokens).amax(1), layers.spatial(shuffled).amax(1)
    torch.testing.assert_close(*same)
    moved = [layers.temporal(x + layers.positions).amax(1) for x in (tokens, shuffled)]
    assert not torch.allclose(*moved, atol=1e-3)


def test_a_lost_joint_is_one_of_zeros():
    """What it was trained to miss: its coordinates are zero, and bones begin or end there."""
    encoder, x = small_encoder(), clips()
    lost = x.clone()
    lost[:, :, :, [4, 7]] = 0
    torch.testing.assert_close(encoder(x, torch.tensor([4, 7])).clip, encoder(lost).clip)
    assert not encoder.can_drop


def test_a_clip_with_fewer_people_has_absent_ones():
    """An absent person is tokens of zeros, as in the released code, whoever pads the clip."""
    encoder, x = small_encoder(), clips()
    x[..., 1] = 0
    torch.testing.assert_close(encoder(x[..., :1]).clip, encoder(x).clip)
    alone = small_encoder(people=1)
    assert alone.expected == (12, 25, 1)
    for wrong in (x[:, :, :10], x[:, :, :, :20], F.pad(x, (0, 1))):
        with pytest.raises(ShapeError, match=r"expected \(N, 3, 12, 25, 2 or fewer people\)"):
            encoder(wrong)


def test_weights_start_as_the_released_ones():
    """Only the projection of queries, keys and values is Xavier's (UmURL spec 2.1)."""
    encoder = small_encoder(width=128)
    layer = encoder.layers.spatial
    for module, bound in (
        (layer.attend_in, (6 / (128 + 3 * 128)) ** 0.5),
        (layer.attend_out, 128**-0.5),
        (layer.feed_in, 128**-0.5),
        (encoder.fusion.temporal, 128**-0.5),
        (encoder.embeddings["bone"].spatial[0], (3 * 12) ** -0.5),
    ):
        assert float(module.weight.detach().abs().max()) == pytest.approx(bound, rel=0.01)
    assert not layer.attend_in.bias.any()
    assert not layer.attend_out.bias.any()
    assert layer.feed_in.bias.any()


def test_bf16_stays_close():
    """Mixed precision is a setting of training; sums and maxima stay in float32."""
    encoder, x = small_encoder(width=64), clips()
    exact = encoder(x).clip
    with torch.autocast("cpu", torch.bfloat16):
        rounded = encoder(x).clip
    assert rounded.dtype == torch.float32
    assert float((rounded - exact).detach().norm() / exact.detach().norm()) < 0.03
