import math
from pathlib import Path

import pytest
import ranks
import torch
import torch.nn.functional as F

from pstl import config
from pstl.backbones.stgcn import Config as OtherConfig
from pstl.backbones.stgcn import Encoder as OtherEncoder
from pstl.backbones.vit import Config as EncoderConfig
from pstl.backbones.vit import Encoder
from pstl.config import TrainSettings
from pstl.errors import UserError
from pstl.methods import mamp
from pstl.ops.streams import motion
from pstl.records import Batch, Problem
from pstl.rng import torch_generator
from pstl.skeletons import load
from pstl.train import distributed, optimiser
from tests.methods.tiny_mamp import batch, small_method

ROOT = Path(__file__).parents[2]


def full_method(**cfg):
    """MAMP at the paper's size, without memory."""
    skeleton = load("kinect_v2")
    with torch.device("meta"):
        encoder = Encoder(EncoderConfig(), skeleton, 2, 120)
        problem = Problem(skeleton, 2, 120, 60, "joint")
        return mamp.Method(mamp.Config(**cfg), encoder, problem)


# --- the mask -------------------------------------------------------------------------------------


def test_as_many_tokens_are_visible_as_the_code_computes():
    """int(750 * (1 - 0.9)) is 74, not 75: a tenth of a step more or less is another method."""
    assert full_method().count == 74
    assert small_method(frames=50, masked=0.85).count == 30
    method, data = small_method(), batch()
    seen = method.visible(
        method.encoder.patches(data.x[:, :, :20]), (0, 6), torch_generator(0, "m")
    )
    assert seen.shape == (6, 7)
    assert all(len(set(row.tolist())) == 7 for row in seen)


@pytest.mark.parametrize("tau", [0.4, 0.8, 1e9])
def test_a_token_is_masked_as_often_as_the_softmax_says(tau):
    """Where one token is masked it is token i with probability pi_i: that is what the Gumbel noise
    is for. With a large tau all are masked alike (MAMP spec 1.2).
    """
    amount = torch.tensor([0.0, 0.5, 1.0, 2.0])
    noise = torch.rand(40_000, 4, generator=torch_generator(0, "noise"))
    visible = mamp.calmest(amount.expand(40_000, 4), noise, tau, 3)
    masked = 6 - visible.sum(1)
    frequency = masked.bincount(minlength=4) / 40_000
    expected = (amount / (tau * 2)).softmax(0)
    torch.testing.assert_close(frequency, expected, atol=0.01, rtol=0)


def test_who_rests_is_masked_at_random():
    """Absent people have no motion at all; 0 / 0 would mask none of their tokens, or all."""
    noise = torch.rand(20_000, 5, generator=torch_generator(0, "noise"))
    visible = mamp.calmest(torch.zeros(20_000, 5), noise, 0.8, 2)
    frequency = visible.flatten().bincount(minlength=5) / 40_000
    torch.testing.assert_close(frequency, torch.full((5,), 0.2), atol=0.01, rtol=0)


def test_extreme_draws_stay_finite():
    """A uniform number may be 0 or just below 1, where logarithms end."""
    noise = torch.tensor([[0.0, 1 - 2**-24, 0.5, 0.5]])
    assert mamp.calmest(torch.zeros(1, 4), noise, 0.8, 2)[0].tolist() in ([0, 2], [0, 3], [2, 3])
    gumbel = -(-(noise + mamp.TINY).log() + mamp.TINY).log()
    assert gumbel.isfinite().all()


def test_intensity_is_change_since_the_patch_before():
    """By hand; the first patch has none before it and takes that of the second."""
    patches = torch.tensor([[[1.0, 1.0]], [[2.0, 0.0]], [[2.0, 4.0]]])[None]  # (1, 3, 1, 2)
    assert mamp.intensity(patches)[0, :, 0].tolist() == [1, 1, 2]


# --- target and loss ------------------------------------------------------------------------------


def test_target_is_standardised_motion():
    """By each patch's own mean and unbiased variance; a joint that rests has the target 0."""
    x = batch().x[:, :, :20]
    x[0, :, :, 3] = 1.5
    encoder = small_method().encoder
    target = encoder.by_joint(mamp.standardised(encoder.patches(motion(x))))
    assert not target[0, :, 3].any()
    numbers = torch.stack(
        [x[1, c, t + 1, 4, 0] - x[1, c, t, 4, 0] for t in range(5) for c in range(3)]
    )
    by_hand = (numbers - numbers.mean()) / (numbers.std() ** 2 + 1e-6).sqrt()
    torch.testing.assert_close(target[1, 0, 4], by_hand)


def test_visible_patches_are_no_part_of_the_loss():
    """Copying what is seen would be an easy way to a low loss."""
    predicted, target = torch.randn(2, 3, 6, 4, generator=torch_generator(0, "p"))
    visible = torch.tensor([[0, 4], [1, 2], [5, 3]])
    error = mamp.masked_error(predicted, target, visible)
    torch.testing.assert_close(
        error[0], F.mse_loss(predicted[0, [1, 2, 3, 5]], target[0, [1, 2, 3, 5]])
    )
    changed = predicted.scatter(1, mamp.wide(visible, predicted), 99.0)
    assert torch.equal(mamp.masked_error(changed, target, visible), error)


def test_masked_patches_do_not_reach_the_prediction():
    """What is to be predicted must not be seen, by whatever way."""
    method = small_method()
    patches = method.encoder.patches(batch().x[:, :, :20])
    visible = method.visible(patches, (0, 6), torch_generator(0, "m"))
    other = torch.randn_like(patches).scatter(
        1, mamp.wide(visible, patches), patches.gather(1, mamp.wide(visible, patches))
    )
    predictions = []
    for version in (patches, other):
        tokens = method.encoder.tokens(version)
        seen = method.encoder.trunk(tokens.gather(1, mamp.wide(visible, tokens)))
        predictions.append(method.decoder(seen, visible))
    assert not torch.equal(patches, other)
    assert torch.equal(*predictions)


def attention(x, block):
    """A block with its softmax written out."""
    z = F.layer_norm(x, x.shape[-1:], block.attend_norm.weight, block.attend_norm.bias)
    q, k, v = (F.linear(z, block.relate.weight, block.relate.bias)).chunk(3, dim=-1)
    size = q.shape[-1] // block.heads
    heads = []
    for h in range(block.heads):
        own = slice(h * size, (h + 1) * size)
        scores = q[..., own] @ k[..., own].transpose(-1, -2) / math.sqrt(size)
        heads.append(scores.softmax(-1) @ v[..., own])
    x = x + F.linear(torch.cat(heads, -1), block.mix.weight, block.mix.bias)
    z = F.layer_norm(x, x.shape[-1:], block.feed_norm.weight, block.feed_norm.bias)
    hidden = F.gelu(F.linear(z, block.widen.weight, block.widen.bias))
    return x + F.linear(hidden, block.narrow.weight, block.narrow.bias)


def reference_loss(method, data, rng):
    """The paper's steps body by body: tokens are shuffled, cut, filled up and put back in order."""
    cfg, encoder, decoder = method.cfg, method.encoder, method.decoder
    view, _ = method.augmented(cfg, data.x, data.length, rng)
    noise = torch.rand(len(view) * view.shape[4], encoder.times * encoder.joints, generator=rng)
    size, errors = encoder.cfg.t_patch, []
    for number, noisy in enumerate(noise):
        body = view[number // view.shape[4], ..., number % view.shape[4]]  # (3, T, V)
        moved = torch.cat([body[:, 1:] - body[:, :-1], torch.zeros_like(body[:, :1])], 1)
        patches, targets, change = [], [], []
        for time in range(encoder.times):
            here = slice(time * size, (time + 1) * size)
            before = slice(max(time - 1, 0) * size, max(time, 1) * size)
            after = slice(max(time, 1) * size, (max(time, 1) + 1) * size)
            for joint in range(encoder.joints):
                patches.append(body[:, here, joint].T.flatten())
                m = moved[:, here, joint].T.flatten()
                targets.append((m - m.mean()) / (m.var() + 1e-6).sqrt())
                change.append((body[:, after, joint] - body[:, before, joint]).abs().mean())
        change = torch.stack(change)
        log_pi = (change / (cfg.tau * change.max() + 1e-10)).log_softmax(0)
        order = (log_pi - (-(noisy + 1e-10).log() + 1e-10).log()).argsort()
        tokens = F.linear(torch.stack(patches), encoder.enter.weight, encoder.enter.bias)
        tokens = tokens + (encoder.positions.times + encoder.positions.joints).flatten(0, 1)
        seen = tokens[order[: method.count]]
        for block in encoder.trunk.blocks:
            seen = attention(seen, block)
        seen = decoder.enter(encoder.trunk.norm(seen))
        every = torch.cat([seen, decoder.mask_token.expand(len(order) - len(seen), -1)])
        every = every[order.argsort()]
        every = every + (decoder.positions.times + decoder.positions.joints).flatten(0, 1)
        for block in decoder.trunk.blocks:
            every = attention(every, block)
        predicted = decoder.leave(decoder.trunk.norm(every))
        error = (predicted - torch.stack(targets)).square().mean(1)
        errors.append(error[order[method.count :]].mean())
    return torch.stack(errors).mean()


@pytest.mark.parametrize(("name", "people"), [("kinect_v1", 1), ("kinect_v2", 2)])
def test_loss_is_that_of_the_papers_steps(name, people):
    """Absent people included; the order of tokens is restored, visible ones come first there."""
    method, data = small_method(name, people, decoder_depth=2), batch(4, name, people)
    for parameter in method.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    loss = method(data, torch_generator(0, "test"))["loss"]
    torch.testing.assert_close(loss, reference_loss(method, data, torch_generator(0, "test")))


def test_gradients_reach_every_joint_and_time():
    """A token that is never trained is noise in every feature."""
    method = small_method("kinect_v2", 2)
    for step in range(8):
        method(batch(6, "kinect_v2", 2), torch_generator(0, "test", step))["loss"].backward()
    for part in (method.encoder.positions, method.decoder.positions):
        assert part.times.grad.abs().sum((1, 2)).all()
        assert part.joints.grad.abs().sum((0, 2)).all()
    assert all(parameter.grad.any() for parameter in method.parameters())


# --- views ----------------------------------------------------------------------------------------


def test_the_clean_view_is_the_middle_resized():
    """95 % of the true length, half-pixel bilinear, nobody turned (MAMP spec 2.3)."""
    data = batch(frames=200)
    view = mamp.Method.clean(mamp.Config(), data.x, data.length)
    assert view.shape == (6, 3, 120, 20, 1)
    for clip, length, one in zip(data.x, data.length, view, strict=True):
        cut = int(int(length) * 0.025)
        middle = clip[:, cut : int(length) - cut, :, 0].permute(0, 2, 1)
        expected = F.interpolate(middle, 120, mode="linear", align_corners=False)
        torch.testing.assert_close(one[..., 0].permute(0, 2, 1), expected, atol=1e-5, rtol=1e-5)


def test_crops_are_at_least_half_and_at_least_64_frames():
    """Of clips whose numbers tell the frame: 40 frames are kept whole, of 300 half or more."""
    length = torch.tensor([40, 100, 300]).repeat(200)
    x = torch.arange(300.0).view(1, 1, 300, 1, 1).expand(600, 3, 300, 20, 1)
    cfg = mamp.Config(rotation=(0, 0, 0))
    view, kept = mamp.Method.augmented(cfg, x, length, torch_generator(0, "test"))
    assert torch.equal(kept, length)
    # Half a pixel beyond either end of 120 is clamped, so the ends are read off inside.
    step = (view[:, 0, 90, 0, 0] - view[:, 0, 30, 0, 0]) / 60
    frames = (step * 120).view(200, 3).round().T
    assert frames[0].unique().tolist() == [40]
    assert (frames[1].min(), frames[1].max()) == (64, 99)
    assert frames[2].min() < 160 < 290 < frames[2].max()
    assert view[:, 0, :, 0, 0].amax(1).view(200, 3).amax(0).tolist() == pytest.approx(
        [39, 99, 299], abs=0.9
    )


def test_one_rotation_turns_a_whole_clip():
    """Both people and all frames by the same; by up to 0.3 rad about each axis, and others for
    another clip.
    """
    data, cfg = batch(200, "kinect_v2", 2), mamp.Config(shortest=1000)  # whole clips
    still = mamp.Config(shortest=1000, rotation=(0, 0, 0))
    turned, _ = mamp.Method.augmented(cfg, data.x, data.length, torch_generator(0, "test"))
    plain, _ = mamp.Method.augmented(still, data.x, data.length, torch_generator(0, "test"))
    flat, target = plain.flatten(2), turned.flatten(2)  # (N, 3, T V M)
    matrix = torch.linalg.lstsq(flat.mT, target.mT).solution.mT
    torch.testing.assert_close(matrix @ flat, target, atol=1e-3, rtol=1e-3)
    # R = Rz Ry Rx, from whose last row and first column the angles are read.
    about_y = matrix[:, 2, 0].asin()
    about_x = torch.atan2(matrix[:, 2, 1], matrix[:, 2, 2])
    about_z = torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0])
    for angle in (about_x, about_y, about_z):
        assert 0.28 < angle.abs().max() <= 0.3 + 1e-3
        assert len(angle.mul(1e4).round().unique()) > 150
    torch.testing.assert_close(turned.norm(dim=1), plain.norm(dim=1), atol=1e-4, rtol=1e-4)


def test_turns_about_one_axis_can_be_set():
    """Views of other cameras differ by a turn about the vertical: 30 degrees and more."""
    cfg = mamp.Config(rotation=(0, math.radians(60), 0))
    data = batch(50)
    view, _ = mamp.Method.augmented(cfg, data.x, data.length, torch_generator(0, "test"))
    plain = mamp.Config(rotation=(0, 0, 0))
    still, _ = mamp.Method.augmented(plain, data.x, data.length, torch_generator(0, "test"))
    torch.testing.assert_close(view[:, 1], still[:, 1])
    assert (view[:, 0] - still[:, 0]).abs().max() > 0.1


# --- training -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("depth", "total"), [(3, 8_789_004), (5, 10_368_524)])
def test_parameter_counts_are_the_papers(depth, total):
    """The whole model with the decoder of NTU-60, and of NTU-120 and PKU-MMD (MAMP spec 1.4)."""
    assert sum(p.numel() for p in full_method(decoder_depth=depth).parameters()) == total


@pytest.mark.parametrize(
    ("name", "people", "stream"),
    [("kinect_v1", 1, "joint"), ("kinect_v2", 1, "bone"), ("kinect_v2", 2, "motion")],
)
def test_a_few_steps_lower_the_loss(name, people, stream):
    """Of clips whose joints swing: the target has variance 1, so a lower loss is foresight."""
    method = small_method(name, people, stream, masked=0.6, rotation=(0, 0, 0)).train()
    optim = optimiser.build(method, TrainSettings(epochs=1, optimiser="adamw", lr=1e-2))
    joints = load(name).joints
    phase = torch.linspace(0, 6, joints)[:, None] + torch.linspace(0, 6, 8).view(-1, 1, 1, 1, 1)
    wave = torch.sin(torch.arange(40.0).view(1, 1, -1, 1, 1) / 5 + phase)
    x = wave.expand(8, 3, 40, joints, people) * torch.tensor([1.0, 0.5, 0.2]).view(1, 3, 1, 1, 1)
    losses = []
    for step in range(40):
        loss = method(Batch(x, torch.full((8,), 40)), torch_generator(0, "test", step))["loss"]
        loss.backward()
        optim.step()
        optim.zero_grad()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) / 5 < 0.7 * losses[0], losses


def test_weights_decay_but_biases_and_norms():
    """The paper spares what has one dimension there; its positions and mask token have more."""
    train = config.load(ROOT / "params.yaml").method("ntu60", "mamp").train
    method = small_method()
    decayed, spared = (group["params"] for group in optimiser.build(method, train).param_groups)
    names = {id(parameter): name for name, parameter in method.named_parameters()}
    assert all(names[id(p)].endswith("bias") or "norm.weight" in names[id(p)] for p in spared)
    assert {names[id(p)] for p in decayed if p.dim() == 1} == {"decoder.mask_token"}
    assert not [names[id(p)] for p in spared if p.dim() > 1]


def test_what_does_not_fit_is_one_line():
    """Its masks are of this encoder's tokens, and one token in time has no patch before it."""
    skeleton = load("kinect_v1")
    problem = Problem(skeleton, 1, 20, 10, "joint")
    other = OtherEncoder(OtherConfig(width=2), skeleton, 1, 20)
    with pytest.raises(UserError, match=r"set encoder: \{name: vit\}"):
        mamp.Method(mamp.Config(frames=20), other, problem)
    with pytest.raises(UserError, match="1 x 20 tokens of which 1 are visible; set"):
        small_method(t_patch=20)
    with pytest.raises(UserError, match="4 x 20 tokens of which 0 are visible; set"):
        small_method(masked=0.99)
    with pytest.raises(UserError, match="4 x 20 tokens of which 80 are visible; set"):
        small_method(masked=1e-17)  # nothing would be predicted
    with pytest.raises(UserError, match="12 numbers cannot be shared by 5 heads"):
        small_method(decoder_heads=5)


def one_step():
    """One step in float64: the loss and all gradients."""
    method = small_method("kinect_v2", 2).double()
    data = batch(7, "kinect_v2", 2)
    mine = distributed.share(torch.arange(7))
    local = Batch(data.x[mine].double(), data.length[mine])
    loss = method(local, torch_generator(0, "test"))["loss"]
    loss.backward()
    distributed.average_gradients(method.parameters())
    return {"loss": loss.detach()} | {k: p.grad for k, p in method.named_parameters()}


@pytest.mark.slow
def test_two_ranks_are_one_process(tmp_path):
    """Draws for the whole batch, and a mean over all of it; 7 clips do not divide by two."""
    ranks.compare(one_step, tmp_path, atol=1e-8, rtol=1e-6)
