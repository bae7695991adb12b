from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pstl.backbones._ctrgcn import CtrGcnBlock, GraphUnit
from pstl.backbones.scdnet import Config, Encoder
from pstl.errors import ShapeError
from pstl.skeletons import load
from pstl.skeletons.graph import directed_partition

TINY = {"width": 16, "heads": 2, "feedforward": 24, "stem_width": 8, "dropout": 0.0}


def small_encoder(name="kinect_v2", people=2, frames=64, **cfg):
    """A small encoder whose every part matters: norms with a scale, relations switched on."""
    torch.manual_seed(0)
    encoder = Encoder(Config(**TINY | cfg), load(name), people, frames)
    with torch.no_grad():
        for key, parameter in encoder.named_parameters():
            if key.endswith(("alpha", "norm.weight", "norm.bias", "norms.0.bias")):
                parameter.copy_(torch.rand_like(parameter) + 0.5)
    return encoder


def bodies(n=6, name="kinect_v2", people=2):
    """Clips of which the even ones have one person, in the first slot."""
    x = torch.randn(n, 3, 64, load(name).joints, people, generator=torch.Generator().manual_seed(1))
    x[::2, ..., 1:] = 0
    return x


def slow_unit(x, u):
    """One released GCN unit, subset by subset: full-resolution relations, then their time mean.

    x: (P, C, T, V).
    """
    d, r = u.norm.num_features, u.relations
    receiver, source = u.relate.weight.view(2, 3, r, -1, 1, 1)
    bias = u.relate.bias.view(2, 3, r)
    values, value_bias = u.value.weight.view(d, 3, -1, 1, 1), u.value.bias.view(d, 3)
    total = 0
    for k in range(3):
        a = F.conv2d(x, receiver[k], bias[0, k]).mean(2)
        b = F.conv2d(x, source[k], bias[1, k]).mean(2)
        q = torch.tanh(a[..., None] - b[..., None, :])
        graph = (
            F.conv2d(q, u.relation_weight[k][..., None, None], u.relation_bias[k, :, 0]) * u.alpha
            + u.topology[k]
        )
        total = total + torch.einsum(
            "ncuv,nctv->nctu", graph, F.conv2d(x, values[:, k], value_bias[:, k])
        )
    shortcut = norm(F.conv2d(x, u.shortcut.weight, u.shortcut.bias), u.shortcut_norm)
    return torch.relu(norm(total, u.norm) + shortcut)


def slow_time(x, u):
    """One released temporal unit, branch by branch.   x: (P, D, T, V)."""
    part = u.convs[0].weight.shape[0]
    outputs = []
    for b in range(4):
        mine = slice(b * part, (b + 1) * part)
        statistics = {
            name: getattr(u.enter_norm, name)[mine]
            for name in ("weight", "bias", "running_mean", "running_var")
        }
        own = SimpleNamespace(training=u.enter_norm.training, **statistics)
        y = norm(F.conv2d(x, u.enter.weight[mine], u.enter.bias[mine]), own)
        if b < 2:
            weight = u.convs[b].weight.transpose(2, 3)
            y = F.conv2d(
                torch.relu(y),
                weight,
                u.convs[b].bias,
                padding=(2 * (b + 1), 0),
                dilation=(b + 1, 1),
            )
        elif b == 2:
            y = F.max_pool2d(torch.relu(y), (3, 1), stride=1, padding=(1, 0))
        outputs.append(y if b == 3 else norm(y, u.norms[b]))
    return torch.cat(outputs, dim=1)


def norm(x, n):
    """Batch norm of all bodies, absent ones included."""
    return F.batch_norm(
        x, n.running_mean.clone(), n.running_var.clone(), n.weight, n.bias, training=n.training
    )


def slow_stem(x, stem):
    """(N, 3, T, V, M) -> (N, M, C, T, V)."""
    n, c, t, v, m = x.shape
    y = x.permute(0, 4, 3, 1, 2).reshape(n, m * v * c, t)
    y = norm(y, stem.input_norm).view(n, m, v, c, t).permute(0, 1, 3, 4, 2).flatten(0, 1)
    for block in stem.blocks:
        z = slow_time(slow_unit(y, block.graph), block.time)
        if block.residual is not None:
            z = z + norm(
                F.conv2d(y, block.residual.weight, block.residual.bias), block.residual_norm
            )
        y = torch.relu(z)
    return y.view(n, m, *y.shape[1:])


def slow_layer(x, layer):
    """The library's own post-norm transformer layer with our weights."""
    width = x.shape[2]
    other = torch.nn.TransformerEncoderLayer(
        width, layer.heads, layer.feed_in.out_features, 0.0, batch_first=True
    ).to(x.dtype)
    pairs = {
        "self_attn.in_proj_": layer.attend_in,
        "self_attn.out_proj.": layer.attend_out,
        "norm1.": layer.attend_norm,
        "linear1.": layer.feed_in,
        "linear2.": layer.feed_out,
        "norm2.": layer.feed_norm,
    }
    weights = {
        old + name: value
        for old, module in pairs.items()
        for name, value in module.named_parameters()
    }
    return torch.func.functional_call(other, weights, (x,))


def slow(x, encoder):
    """The whole encoder as SCD-Net spec 4.1 and 4.2 tell it: every body encoded, nothing fused."""
    y = slow_stem(x, encoder.temporal_stem).permute(0, 3, 1, 4, 2).flatten(2)  # (N, T, M V C)
    temporal = slow_layer(encoder.temporal_tokens(y), encoder.temporal_layer)
    # (N, M V, T C).
    y = slow_stem(x, encoder.spatial_stem).permute(0, 1, 4, 3, 2).flatten(3).flatten(1, 2)
    spatial = slow_layer(encoder.spatial_tokens(y), encoder.spatial_layer)
    return torch.cat([temporal.max(1).values, spatial.max(1).values], 1)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "people"), [("kinect_v2", 2), ("kinect_v1", 1)])
def test_no_shortcut_changes_a_number(training, name, people):
    """Time means first, fused products and convolutions, absent bodies once.

    Outputs and gradients of the plain network.
    """
    encoder, x = (
        small_encoder(name, people).double().train(training),
        bodies(6, name, people).double(),
    )
    ours, theirs = encoder(x).clip, slow(x, encoder)
    torch.testing.assert_close(ours, theirs)
    target = torch.randn_like(ours)
    gradients = [
        torch.autograd.grad((v * target).sum(), encoder.parameters()) for v in (ours, theirs)
    ]
    for (key, _), a, b in zip(encoder.named_parameters(), *gradients, strict=True):
        torch.testing.assert_close(a, b, atol=1e-8, rtol=1e-6, msg=lambda m, key=key: f"{key}: {m}")


def test_absent_bodies_enter_the_running_statistics_as_often_as_they_occur():
    """Evaluation reads these statistics; bodies left out of them would move every feature."""
    encoder, other, x = small_encoder().double(), small_encoder().double(), bodies().double()
    encoder(x)
    other(x, present=torch.ones(6, 2, dtype=torch.bool))  # every body encoded by itself
    merged, plain = dict(encoder.named_buffers()), dict(other.named_buffers())
    for key, value in plain.items():
        torch.testing.assert_close(merged[key], value, msg=lambda m, key=key: f"{key}: {m}")


@pytest.mark.parametrize("training", [True, False])
def test_absent_bodies_are_encoded_once(training):
    """Most clips have one person: nearly half of the stems' work (SCD-Net spec 10)."""
    encoder, rows = small_encoder().train(training), []
    encoder.temporal_stem.blocks[0].register_forward_hook(
        lambda module, inputs, output: rows.append(len(output))
    )
    encoder(bodies())
    encoder(bodies(), present=torch.ones(6, 2, dtype=torch.bool))
    assert rows == [10, 12]  # 9 present, 3 absent ones as one


def test_parameter_counts_are_the_papers():
    """One forgotten bias is another network (SCD-Net spec 1, 4.1)."""
    with torch.device("meta"):
        encoder = Encoder(Config(), load("kinect_v2"), 2, 64)
    count = lambda module: sum(p.numel() for p in module.parameters())  # noqa: E731
    assert count(encoder) == 74_447_664
    assert count(encoder) + 4096 * 60 + 60 == 74_693_484
    assert [count(block) for block in encoder.spatial_stem.blocks] == [12_052, 204_420, 147_156]
    assert count(encoder.spatial_stem) == 363_928
    assert encoder.width == 4096


@pytest.mark.parametrize(
    ("name", "people"), [("kinect_v2", 2), ("kinect_v2", 1), ("kinect_v1", 2), ("kinect_v1", 1)]
)
def test_shapes_for_every_body(name, people):
    """Probes read (N, 2 W) per clip and (N, T, W) per frame whatever the sensor."""
    features = small_encoder(name, people)(bodies(3, name, people))
    assert features.clip.shape == (3, 32)
    assert features.frames.shape == (3, 64, 16)
    assert torch.equal(features.clip[:, :16], features.frames.amax(1))  # v_t


def test_a_clip_with_fewer_people_has_absent_ones():
    """Transfer to a one-person data set must see the features of the same clip with an empty second
    slot.
    """
    encoder, x = small_encoder().eval(), bodies(4)
    x[..., 1] = 0
    torch.testing.assert_close(encoder(x[..., :1]).clip, encoder(x).clip)
    for wrong in (x[:, :, :50], x[:, :, :, :20], F.pad(x, (0, 1))):
        with pytest.raises(ShapeError, match="64"):
            encoder(wrong)


def test_released_features(shared):
    """The released network's clip features on the same input, before any import code is involved in
    how they are read.
    """
    from pstl.train.checkpoint import read
    from tests.official import imported

    fields, state = imported("scdnet", read(shared / "parity/scdnet_official.pth.tar"))
    settings = {key: value for key, value in fields["encoder"].items() if key != "name"}
    encoder = Encoder(
        Config(**settings), load(fields["skeleton"]), fields["people"], fields["frames"]
    ).eval()
    encoder.load_state_dict(state)
    vectors = np.load(shared / "parity/scdnet.npz")
    with torch.no_grad():
        ours = encoder(torch.from_numpy(vectors["x"])).clip.numpy()
    theirs = np.concatenate([vectors["temporal"], vectors["spatial"]], axis=1)
    spread = theirs.std(axis=0).max()
    assert np.abs(ours - theirs).max() < 1e-2 * spread
    assert np.abs(ours - vectors["features_joint"]).max() < 1e-2 * spread


def test_order_of_tokens_is_of_no_account():
    """No positional encoding: what knows about order is the content of the tokens (SCD-Net spec
    4.2, 11).
    """
    layer, x = small_encoder().eval().temporal_layer, torch.randn(2, 64, 16)
    torch.testing.assert_close(layer(x[:, torch.randperm(64)]).amax(1), layer(x).amax(1))


def test_a_graph_unit_begins_as_its_shortcut():
    """BN scale 1e-6 and alpha 0: the graph branch grows from nothing, which is how the released
    stems train (SCD-Net spec 4.1, 11).
    """
    unit = GraphUnit(3, 8, torch.from_numpy(directed_partition(load("kinect_v2"))))
    x = torch.randn(4, 3, 25, 64)
    torch.testing.assert_close(
        unit(x), torch.relu(unit.shortcut_norm(unit.shortcut(x))), atol=1e-4, rtol=0
    )
    assert unit.alpha.item() == 0


def test_fused_weights_start_like_separate_ones():
    """Kaiming fan-out of ONE convolution.

    Fused ones would start weaker by the root of their number (SCD-Net spec 4.1).
    """
    torch.manual_seed(0)
    block = CtrGcnBlock(64, 256, torch.zeros(3, 25, 25), residual=True)
    expected = {
        "graph.relate": 8,
        "graph.value": 256,
        "graph.shortcut": 256,
        "time.enter": 64,
        "time.convs.0": 64 * 5,
        "residual": 256,
    }
    for name, fan_out in expected.items():
        module = block.get_submodule(name)
        assert float(module.weight.detach().std()) == pytest.approx(
            (2 / fan_out) ** 0.5, rel=0.06
        ), name
        assert not module.bias.any(), name
    assert float(block.graph.relation_weight.detach().std()) == pytest.approx(
        (2 / 256) ** 0.5, rel=0.06
    )
    assert float(block.time.enter_norm.weight.detach().std()) == pytest.approx(0.02, rel=0.3)
    assert (block.graph.shortcut_norm.weight == 1).all()
    matrices = small_encoder(width=64, heads=8).spatial_tokens[3].weight
    # Xavier-uniform.
    assert float(matrices.detach().abs().max()) == pytest.approx((6 / 128) ** 0.5, rel=0.05)


def test_bf16_stays_close():
    """Mixed precision is a setting of training; statistics and sums stay in float32."""
    encoder, x = small_encoder().eval(), bodies()
    exact = encoder(x).clip
    with torch.autocast("cpu", torch.bfloat16):
        rounded = encoder(x).clip
    assert rounded.dtype == torch.float32
    assert float((rounded - exact).detach().norm() / exact.detach().norm()) < 0.03
