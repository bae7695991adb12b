import pytest

from pstl.config import TrainSettings
from pstl.train.schedule import learning_rate


def test_pstl_schedule():
    """The rates of PSTL spec 17, the zero of epoch 0 included."""
    train = TrainSettings(epochs=150, lr=5e-3, schedule="cosine", warmup_epochs=10)
    expected = {0: 0, 1: 5e-4, 9: 4.5e-3, 10: 5e-3, 80: 2.5e-3, 149: 6.3e-7}
    for epoch, rate in expected.items():
        assert learning_rate(train, epoch) == pytest.approx(rate, rel=1e-2)


def test_step_schedule():
    """SCD-Net: a tenth from epoch 351 on (its spec, section 6)."""
    train = TrainSettings(epochs=451, lr=0.01, schedule="step", milestones=(351,))
    assert [learning_rate(train, e) for e in (0, 350, 351, 450)] == pytest.approx(
        [0.01, 0.01, 0.001, 0.001]
    )


def test_linear_schedule_ends_near_zero():
    """Linear decay after warm-up."""
    train = TrainSettings(epochs=10, lr=1.0, schedule="linear", warmup_epochs=2)
    assert [learning_rate(train, e) for e in (0, 1, 2, 6, 9)] == pytest.approx(
        [0, 0.5, 1, 0.5, 0.125]
    )


def test_hitrs_schedule_by_steps():
    """Warm-up from 0 over 1,000 updates, linear to 2e-6 at update 50,000, whatever the epoch.

    The rates of its spec, section 11.
    """
    train = TrainSettings(
        epochs=1000,
        lr=4e-4,
        schedule="linear",
        warmup_steps=1000,
        decay_steps=50_000,
        final_lr=2e-6,
    )
    expected = {0: 0, 500: 2e-4, 1000: 4e-4, 30_000: 1.6445e-4, 50_000: 2e-6, 60_000: 2e-6}
    for step, rate in expected.items():
        assert learning_rate(train, 7, step) == pytest.approx(rate, rel=1e-4)


def test_two_clocks_at_once_are_refused():
    """A warm-up in epochs and a decay in steps would be neither paper's schedule."""
    for wrong in (
        {"decay_steps": 5, "warmup_epochs": 1},
        {"decay_steps": 5, "schedule": "cosine"},
        {"warmup_steps": 5},
        {"decay_steps": 5, "per_step": True},
    ):
        with pytest.raises(ValueError, match="decay_steps"):
            TrainSettings(**{"epochs": 1, "lr": 1.0, "schedule": "linear"} | wrong)


def test_halving_schedule():
    """Hi-TRS's fine-tuning: 1 up to epoch 20, then half of it every ten (its spec, section 5;
    epochs there begin at 1).
    """
    train = TrainSettings(
        epochs=70, lr=1.0, schedule="step", milestones=(20, 30, 40, 50, 60), gamma=0.5
    )
    expected = [1.0 if e <= 20 else 0.5 ** -(-(e - 20) // 10) for e in range(1, 71)]
    assert [learning_rate(train, e) for e in range(70)] == pytest.approx(expected)


def test_a_gamma_for_each_milestone():
    """Hi-TRS from scratch: 1 to epoch 30, then .5, .25, .125, from 56 on .0125 (its spec, 5)."""
    drops = {"milestones": (30, 40, 50, 55), "gamma": (0.5, 0.5, 0.5, 0.1)}
    train = TrainSettings(epochs=70, lr=4e-4, schedule="step", **drops)

    def factor(e):
        if e <= 30:
            return 1
        return 0.5 if e <= 40 else 0.25 if e <= 50 else 0.125 if e <= 55 else 0.0125

    expected = [4e-4 * factor(e) for e in range(1, 71)]
    assert [learning_rate(train, e) for e in range(70)] == pytest.approx(expected, rel=1e-12)


def test_gammas_without_their_milestones_are_refused():
    """A drop without its epoch, or epochs out of order, would be another schedule in silence."""
    step = {"epochs": 9, "lr": 1.0, "schedule": "step"}
    with pytest.raises(ValueError, match="1 values; expected one for each of the 2 milestones"):
        TrainSettings(**step, milestones=(3, 6), gamma=(0.5,))
    with pytest.raises(ValueError, match="expected ascending epochs"):
        TrainSettings(**step, milestones=(6, 3), gamma=(0.5, 0.1))
    with pytest.raises(ValueError, match="greater than 0"):
        TrainSettings(**step, milestones=(3,), gamma=(0.0,))


def test_a_cosine_that_follows_the_steps_and_ends_above_zero():
    """MAMP: from 0 up over 20 epochs, half a cosine to 5e-4 over the other 380, step by step."""
    train = TrainSettings(epochs=400, lr=1e-3, warmup_epochs=20, final_lr=5e-4, per_step=True)
    expected = {0: 0, 0.5: 2.5e-5, 10: 5e-4, 20: 1e-3, 210: 7.5e-4, 399.999: 5e-4}
    for epoch, rate in expected.items():
        assert learning_rate(train, epoch) == pytest.approx(rate, rel=1e-6)


def test_a_final_rate_nobody_reaches_is_refused():
    """Steps and constants end where they end; a setting without effect is a wrong hope."""
    for schedule in ("step", "constant"):
        with pytest.raises(ValueError, match="final_lr needs schedule cosine or linear"):
            TrainSettings(epochs=1, lr=1.0, schedule=schedule, final_lr=0.5)
    with pytest.raises(ValueError, match="warmup_start 0"):
        TrainSettings(epochs=9, lr=1.0, warmup_epochs=2, warmup_start=1, per_step=True)
