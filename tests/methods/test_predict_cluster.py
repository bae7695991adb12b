"""Predict & Cluster: its two decoders against loops over frames, and what must not learn."""

import pytest
import torch

from pstl.backbones import bigru
from pstl.methods import predict_cluster
from pstl.records import Batch, Problem
from pstl.rng import torch_generator
from pstl.skeletons import load

V1, V2 = load("kinect_v1"), load("kinect_v2")
FIXED = ("weights", "state")


def method(fixed="weights", skeleton=V1, people=1, stream="joint", width=8, layers=2):
    torch.manual_seed(0)
    encoder = bigru.Encoder(bigru.Config(width=width, layers=layers), skeleton, people, 50)
    problem = Problem(skeleton, people, 50, 10, stream)
    cfg = predict_cluster.Config(fixed=fixed)
    return predict_cluster.Method(cfg, encoder, problem)


def clips(lengths, skeleton=V1, people=1, frames=50):
    """Random walks (N, 3, frames, V, people), zero beyond their lengths."""
    rng = torch.Generator().manual_seed(1)
    shape = (len(lengths), 3, frames, skeleton.joints, people)
    x = torch.randn(shape, generator=rng).cumsum(2) * 0.1
    for clip, length in zip(x, lengths, strict=True):
        clip[:, length:] = 0
    return x


def batch(x):
    return Batch(x, torch.full((len(x),), x.shape[2]))


def loss_of(trainable, x):
    return trainable(batch(x), torch_generator(0, "test"))["loss"]


def told_frame_by_frame(trainable, x, fixed):
    """Predict-Cluster spec 2.3 and 3 with loops over clips and frames, in torch's own GRU cell."""
    cell = torch.nn.GRUCell(trainable.decoder.input_size, trainable.decoder.hidden_size)
    cell = cell.to(x.dtype)
    cell.load_state_dict(
        {k.removesuffix("_l0"): v for k, v in trainable.decoder.state_dict().items()}
    )
    total = 0
    for clip in x:
        length = int(clip.ne(0).any(3).any(2).any(0).nonzero().max()) + 1
        rows = clip[:, :length].permute(1, 3, 2, 0).flatten(1)
        feature = trainable.encoder(clip[None, :, :length]).clip
        state, frame, distances = feature, rows[:1], []
        for row in rows if fixed == "weights" else rows[1:]:
            if fixed == "weights":
                state = cell(torch.zeros_like(rows[:1]), state)
                frame = trainable.output(state)
            else:
                frame = frame + trainable.output(cell(frame, feature))
            distances.append((frame[0] - row).abs().sum())
        total = total + torch.stack(distances).mean()
    return total / len(x)


@pytest.mark.parametrize("fixed", FIXED)
@pytest.mark.parametrize(("skeleton", "people"), [(V1, 1), (V2, 2)])
def test_loss_and_gradients_are_those_of_loops_over_frames(fixed, skeleton, people):
    """Batches of padded clips must learn what single clips would, one person or two."""
    trainable = method(fixed, skeleton, people).double()
    x = clips([50, 33, 2], skeleton, people).double()
    x[1, ..., people - 1 :] *= people == 1  # of two people the second is absent in a clip
    gradients = []
    for loss in (loss_of(trainable, x), told_frame_by_frame(trainable, x, fixed)):
        trainable.zero_grad()
        loss.backward()
        gradients.append([loss, *(w.grad.clone() for w in trainable.encoder.parameters())])
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("fixed", FIXED)
def test_only_a_decoder_of_fixed_state_learns(fixed):
    """With weights that learn, the decoder would tell the clip and the encoder need not."""
    trainable = method(fixed)
    loss_of(trainable, clips([50, 20])).backward()
    learns = [weight.grad is not None for weight in trainable.decoder.parameters()]
    learns += [weight.grad is not None for weight in trainable.output.parameters()]
    assert learns == [fixed == "state"] * 6
    assert all(weight.grad.any() for weight in trainable.encoder.parameters())


def test_a_still_clip_told_by_a_silent_decoder_of_fixed_state_costs_nothing():
    """Its output is added to the frame before: who adds nothing tells that nobody moves."""
    trainable = method("state")
    torch.nn.init.zeros_(trainable.output.weight)
    torch.nn.init.zeros_(trainable.output.bias)
    x = clips([50]).clone()
    x[:] = x[:, :, :1]
    assert loss_of(trainable, x) == 0
    x[:, :, 25:] += 1  # one step of all joints: 60 numbers off by 1 in 25 of 49 frames
    assert loss_of(trainable, x).item() == pytest.approx(60 * 25 / 49, rel=1e-5)


@pytest.mark.parametrize("fixed", FIXED)
def test_frames_beyond_the_end_are_neither_told_nor_read(fixed):
    """Half of NW-UCLA's frames are padding: told as zeros they would be most of the loss."""
    trainable, x = method(fixed), clips([20, 31])
    long = torch.cat([x, x.new_zeros(x.shape)], dim=2)
    torch.testing.assert_close(loss_of(trainable, long), loss_of(trainable, x))
    nobody = torch.zeros_like(x[:1])
    assert torch.isfinite(loss_of(trainable, nobody))
    assert loss_of(trainable, nobody) == 0


def test_motion_ends_where_a_clip_ends():
    """The difference between a last posture and the padding is no movement of anybody."""
    x = clips([20, 50], people=2)
    x[1, :, 30:, :, 1] = 0
    motion = predict_cluster.Method.as_stream(x, V1, "motion")
    assert not motion[0, :, 19:].any()
    assert not motion[1, :, 29:, :, 1].any()
    torch.testing.assert_close(motion[0, :, :19], x[0, :, 1:20] - x[0, :, :19])
    torch.testing.assert_close(motion[1, :, :49, :, 0], x[1, :, 1:, :, 0] - x[1, :, :-1, :, 0])
    assert predict_cluster.Method.as_stream(x, V1, "joint") is x


@pytest.mark.parametrize("fixed", FIXED)
def test_what_the_decoder_can_tell_is_learnt(fixed):
    """Clips that the decoder tells for some features: the encoder must find such features, through
    a decoder of fixed weights as well."""
    trainable = method(fixed, width=16, layers=1)
    with torch.no_grad():
        feature = 2 * torch.rand(8, 32, generator=torch_generator(0, "features")) - 1
        first = torch.randn(8, 60, generator=torch_generator(0, "first"))
        told = trainable.told_from_zeros(feature, 20)
        if fixed == "state":
            told = 10 * trainable.told_from_first(feature, first, 21)
    x = told.unflatten(2, (20, 3)).permute(0, 3, 1, 2)[..., None]
    learnt = [weight for weight in trainable.parameters() if weight.requires_grad]
    optimiser = torch.optim.Adam(learnt, lr=0.02)
    losses = []
    for _ in range(30):
        optimiser.zero_grad()
        losses.append(loss_of(trainable, x))
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.5 * losses[0]
