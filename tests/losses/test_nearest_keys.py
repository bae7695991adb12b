"""Distributions that follow another, and neighbours as positives, beside their definitions."""

import pytest
import torch
import torch.nn.functional as F

from pstl.losses.neighbours import follow, neighbours, positives_nce


def scores(*shape: int) -> torch.Tensor:
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def test_who_follows_itself_pays_the_entropy() -> None:
    """Its least value: lower would mean that the distribution were not one (AimCLR spec 10)."""
    log_p = F.log_softmax(scores(5, 9), dim=1)
    entropy = torch.distributions.Categorical(logits=log_p).entropy().mean()
    torch.testing.assert_close(follow(log_p, log_p), entropy)
    assert follow(F.log_softmax(scores(2, 5, 9), dim=-1), log_p).gt(entropy).all()


def test_the_leader_learns_nothing() -> None:
    """With a gradient both views would agree on anything, the leader's own task forgotten."""
    leader, follower = scores(5, 9).requires_grad_(), scores(2, 5, 9).requires_grad_()
    follow(follower.log_softmax(-1), leader.log_softmax(-1)).sum().backward()
    assert leader.grad is None
    assert follower.grad is not None
    # Of a cross-entropy by its scores: (softmax - target) / rows.
    expected = (follower.softmax(-1) - leader.softmax(-1)) / 5
    torch.testing.assert_close(follower.grad, expected.detach())


@pytest.mark.parametrize("count", [1, 3])
def test_neighbours_are_the_nearest_of_each_kind_and_the_own_pair(count: int) -> None:
    """Clip by clip: the union over kinds, in which one that several name stands once."""
    several = scores(3, 6, 12)
    several[:, 0, 1:] = several[0, 0, 1:]  # all kinds agree about the first clip
    positive = neighbours(several, count)
    assert positive.dtype == torch.bool
    for clip in range(6):
        nearest = {0}
        for kind in range(3):
            others = several[kind, clip, 1:]
            nearest |= {1 + place for place in sorted(range(11), key=lambda j: -others[j])[:count]}
        assert positive[clip].nonzero()[:, 0].tolist() == sorted(nearest)
    assert positive[0].sum() == 1 + count
    assert positive.sum(1).ge(1 + count).all()
    assert positive.sum(1).le(1 + 3 * count).all()


def test_the_own_pair_is_no_neighbour_even_where_it_is_nearest() -> None:
    """It is positive anyway: taken for a neighbour it would cost the place of one."""
    several = scores(3, 6, 12)
    several[..., 0] = 100
    assert neighbours(several, 1).sum(1).ge(2).all()


def test_several_positives_share_a_row() -> None:
    """One positive is InfoNCE; more count as their mean, whatever their number in other rows."""
    log_p, positive = F.log_softmax(scores(4, 9), dim=1), torch.zeros(4, 9, dtype=torch.bool)
    positive[:, 0] = True
    torch.testing.assert_close(positives_nce(log_p, positive), -log_p[:, 0].mean())
    positive[1, [3, 5]] = True
    rows = [-log_p[0, 0], -log_p[1, [0, 3, 5]].mean(), -log_p[2, 0], -log_p[3, 0]]
    torch.testing.assert_close(positives_nce(log_p, positive), torch.stack(rows).mean())
