import pytest

from pstl.config import TrainSettings
from pstl.train.schedule import learning_rate


def test_pstl_schedule():
    """The rates of spec 17, the zero of epoch 0 included."""
    train = TrainSettings(epochs=150, lr=5e-3, schedule="cosine", warmup_epochs=10)
    expected = {0: 0, 1: 5e-4, 9: 4.5e-3, 10: 5e-3, 80: 2.5e-3, 149: 6.3e-7}
    for epoch, rate in expected.items():
        assert learning_rate(train, epoch) == pytest.approx(rate, rel=1e-2)


def test_step_schedule():
    """SCD-Net: a tenth from epoch 351 on (its spec, section 6)."""
    train = TrainSettings(epochs=451, lr=0.01, schedule="step", milestones=(351,))
    assert [learning_rate(train, e) for e in (0, 350, 351, 450)] == pytest.approx([0.01, 0.01, 0.001, 0.001])


def test_linear_schedule_ends_near_zero():
    """Linear decay after warm-up."""
    train = TrainSettings(epochs=10, lr=1.0, schedule="linear", warmup_epochs=2)
    assert [learning_rate(train, e) for e in (0, 1, 2, 6, 9)] == pytest.approx([0, 0.5, 1, 0.5, 0.125])
