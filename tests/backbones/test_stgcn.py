import pytest
import torch

from pstl.backbones.stgcn import Config, Encoder, graph_convolution
from pstl.skeletons import load


def encoder(name="kinect_v2", people=2, **cfg):
    torch.manual_seed(0)
    return Encoder(Config(**cfg), load(name), people, 50)


def test_parameter_count_is_that_of_the_released_encoder():
    """821,380 is counted in the released code (PSTL spec 17); another number is another network."""
    assert sum(p.numel() for p in encoder().parameters()) == 821_380


@pytest.mark.parametrize(
    ("frames", "expected"),
    [(50, [50, 50, 50, 50, 25, 25, 25, 13, 13, 13]), (30, [30, 30, 30, 30, 15, 15, 15, 8, 8, 8])],
)
def test_frames_after_each_block(frames, expected):
    """Strides as in PSTL spec 17, for whole clips and for MATM's short ones."""
    net, seen = encoder(width=2), []
    for block in net.blocks:
        block.register_forward_hook(lambda m, i, o: seen.append(o.shape[2]))
    net(torch.randn(2, 3, frames, 25, 2))
    assert seen == expected


@pytest.mark.parametrize(("name", "people"), [("kinect_v2", 2), ("kinect_v1", 1)])
def test_shapes_for_both_skeletons(name, people):
    """Two features per clip: one vector, one sequence."""
    features = encoder(name, people, width=4)(torch.randn(3, 3, 50, load(name).joints, people))
    assert features.clip.shape == (3, 64)
    assert features.frames.shape == (3, 13, 64)


def test_dropped_joints_have_no_influence():
    """Removal is removal: what the lost joints did must not matter, in the features or in the
    graph.
    """
    net, x, drop = encoder(width=4).eval(), torch.randn(2, 3, 50, 25, 2), torch.tensor([0, 7, 20])
    y = x.clone()
    y[:, :, :, drop] += 10
    torch.testing.assert_close(net(x, drop).clip, net(y, drop).clip)
    assert not torch.allclose(net(x).clip, net(x, drop).clip)


def test_dropping_nothing_changes_nothing():
    """An empty set of joints is the whole body."""
    net, x = encoder(width=4).eval(), torch.randn(2, 3, 50, 25, 2)
    assert torch.equal(net(x).clip, net(x, torch.tensor([], dtype=torch.long)).clip)


def test_encoding_absent_bodies_once_is_exact():
    """Speed must not change numbers: in evaluation absent bodies share one encoding."""
    net, x = encoder(width=4), torch.randn(5, 3, 50, 25, 2)
    net(x)  # moves the running statistics off their start
    net.eval()
    x[[0, 2, 3], ..., 1] = 0
    plain = net.maps(x).mean((2, 3)).view(5, 2, -1).mean(1)
    torch.testing.assert_close(net(x).clip, plain, atol=1e-6, rtol=1e-5)


def test_features_are_means_of_the_maps():
    """AimCLR drops parts of the maps before they are averaged: every body's, in training, too."""
    net, x = encoder(width=4, dropout=0.0), torch.randn(3, 3, 50, 25, 2)
    maps = net.maps(x)
    assert maps.shape == (6, 64, 13, 25)
    features = net(x)
    torch.testing.assert_close(maps.mean((2, 3)).view(3, 2, -1).mean(1), features.clip)
    frames = maps.mean(3).view(3, 2, 64, 13).mean(1).transpose(1, 2)
    torch.testing.assert_close(frames, features.frames)


def test_persons_may_change_places():
    """The clip feature is a mean over body slots."""
    net, x = encoder(width=4).eval(), torch.randn(2, 3, 50, 25, 2)
    torch.testing.assert_close(net(x).clip, net(x.flip(4)).clip)


@pytest.mark.parametrize(("c_in", "c_out"), [(3, 16), (8, 8), (16, 4)])
def test_graph_convolution_is_the_published_sum(c_in, c_out):
    """Whichever product comes first, the sum over subsets and neighbours is the same, gradients
    too.
    """
    torch.manual_seed(0)
    v, p, t = 7, 2, 5
    inputs = [
        torch.randn(v, p, t, c_in),
        torch.rand(3, v, v),
        torch.randn(3 * c_out, c_in, 1, 1),
        torch.randn(3 * c_out),
    ]
    inputs = [value.double().requires_grad_() for value in inputs]
    x, graph, weight, bias = inputs
    fast = graph_convolution(*inputs)
    subsets = torch.einsum("vptc,koc->kvpto", x, weight.view(3, c_out, c_in))
    subsets = subsets + bias.view(3, 1, 1, 1, c_out)
    published = torch.einsum("kvpto,kvw->wpto", subsets, graph)
    torch.testing.assert_close(fast, published)
    direction = torch.randn_like(fast)
    gradients = [
        torch.autograd.grad(y, inputs, direction, retain_graph=True) for y in (fast, published)
    ]
    torch.testing.assert_close(*gradients)


def test_graph_convolution_keeps_its_input_alone():
    """Sums over neighbours are three times the input: kept, they were a third of all memory."""
    x, graph = torch.randn(25, 2, 50, 16, requires_grad=True), torch.randn(3, 25, 25)
    weight, bias = torch.randn(48, 16, 1, 1, requires_grad=True), torch.randn(48)
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        graph_convolution(x, graph, weight, bias)
    assert sum(kept.values()) < 1.2 * x.untyped_storage().nbytes()
