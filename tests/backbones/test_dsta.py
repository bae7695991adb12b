import math

import pytest
import torch
import torch.nn.functional as F

from pstl.backbones.dsta import Config, Encoder
from pstl.skeletons import load


def small_encoder(name="kinect_v1", people=1):
    torch.manual_seed(0)
    encoder = Encoder(Config(width=8, heads=2), load(name), people, 50)
    for module in encoder.modules():  # maps and statistics of a trained network
        if hasattr(module, "graph"):
            torch.nn.init.normal_(module.graph, 0, 0.1)
            torch.nn.init.uniform_(module.scale, 0.5, 2)
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        encoder(torch.randn(8, 3, 50, load(name).joints, people))
    return encoder


def slow_block(x, block):
    """One block as PSP spec 3 tells it: position added to x itself, sums written out."""
    attention, (_, c, t, v) = block.attention, x.shape
    pe = torch.tensor(
        [
            [(math.sin, math.cos)[i % 2](j * 10_000 ** (-2 * (i // 2) / c)) for j in range(v)]
            for i in range(c)
        ]
    ).to(x)
    qk = F.conv2d(x + pe[None, :, None], attention.relate.weight, attention.relate.bias)
    q, k = qk.view(len(x), 2, attention.heads, attention.width, t, v).unbind(1)
    maps = (
        attention.scale
        * torch.tanh(torch.einsum("nsctu,nsctv->nsuv", q, k) / (attention.width * t))
        + attention.graph
    )
    y = torch.einsum("nctu,nsuv->nsctv", x, maps).flatten(1, 2)
    down = block.shortcuts or [torch.nn.Identity()] * 3
    y = F.leaky_relu(block.mix(y) + down[0](x), 0.1)
    y = F.leaky_relu(block.feed(y) + down[1](x), 0.1)
    return F.leaky_relu(block.time(y) + down[2](y), 0.1)


def test_no_shortcut_changes_a_number():
    """Positions folded into the bias, products of all frames at once.

    The plain network's values.
    """
    encoder = small_encoder().double().eval()
    x = torch.randn(3, 3, 50, 20, dtype=torch.double)
    y = encoder.trunk.stem(x)
    for block in encoder.trunk.blocks:
        y = slow_block(y, block)
    # The position table is float32.
    torch.testing.assert_close(encoder.trunk(x), y, atol=1e-6, rtol=1e-5)


def test_parameter_counts_are_the_papers():
    """One forgotten bias is another network (PSP spec 12)."""
    with torch.device("meta"):
        counts = [
            sum(p.numel() for p in Encoder(Config(), load(name), 1, 50).parameters())
            for name in ("kinect_v2", "kinect_v1")
        ]
    assert counts == [4_200_896, 4_193_696]


@pytest.mark.parametrize("frames", [50, 52])
@pytest.mark.parametrize(("name", "people"), [("kinect_v2", 2), ("kinect_v1", 1)])
def test_shapes_for_every_body(name, people, frames):
    """T' = 13 for the paper's 50 frames and the field's 52."""
    features = small_encoder(name, people)(torch.randn(2, 3, frames, load(name).joints, people))
    assert features.clip.shape == (2, 32)
    assert features.frames.shape == (2, 13, 32)


def test_merged_bodies_train_like_each_by_itself():
    """Half of NTU's clips have one person: maps, gradients and statistics are those of the network
    that encodes every absent body.
    """
    x = torch.randn(4, 3, 12, 20, 3, dtype=torch.double)
    present = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 0, 1]]).bool()
    x *= present[:, None, None, None]
    target, results = torch.randn(12, 32, 3, 20, dtype=torch.double), []
    for told in (None, present, torch.ones_like(present)):  # the last one merges nothing
        encoder = small_encoder(people=3).double().train()
        maps = encoder.maps(x, told)
        (maps * target).sum().backward()
        gradients = {name: weight.grad for name, weight in encoder.named_parameters()}
        results.append((maps, gradients, encoder.state_dict()))
    merged, told, plain = results
    torch.testing.assert_close(merged, plain, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(told, plain, atol=1e-9, rtol=1e-9)


def test_absent_bodies_are_encoded_once_and_count_like_present_ones():
    """The mean is over all slots (PSP spec 10.9).

    Most clips have one person, so half of the work is saved in evaluation.
    """
    encoder, x = small_encoder("kinect_v2", 2).eval(), torch.randn(4, 3, 50, 25, 2)
    x[::2, ..., 1] = 0
    rows = []
    encoder.trunk.register_forward_hook(lambda module, inputs, output: rows.append(len(output)))
    clip = encoder(x).clip
    plain = (
        encoder.trunk(x.permute(0, 4, 1, 2, 3).flatten(0, 1)).mean((2, 3)).view(4, 2, -1).mean(1)
    )
    torch.testing.assert_close(clip, plain)
    assert rows == [7, 8]
    torch.testing.assert_close(encoder(x.flip(4)).clip, clip)  # people have no order


def test_dropped_joints_are_zero():
    """Learnt maps are tied to the number of joints, so a lost joint is one without coordinates."""
    encoder, x = small_encoder().eval(), torch.randn(2, 3, 50, 20, 1)
    zeroed = x.clone()
    zeroed[:, :, :, [3, 7]] = 0
    torch.testing.assert_close(encoder(x, torch.tensor([3, 7])).clip, encoder(zeroed).clip)


def test_bf16_stays_close():
    """Mixed precision is a setting of training; maps' tanh and pooling stay in float32."""
    encoder, x = small_encoder().eval(), torch.randn(4, 3, 50, 20, 1)
    exact = encoder(x).clip
    with torch.autocast("cpu", torch.bfloat16):
        rounded = encoder(x).clip
    assert rounded.dtype == torch.float32
    assert float((rounded - exact).detach().norm() / exact.detach().norm()) < 0.05
