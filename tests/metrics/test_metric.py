"""What a task declares of its numbers is all that tables know of them."""

import pytest

from pstl.metrics.metric import Metric, Metrics

ACCURACY = Metric("top1", title="Accuracy", unseen_shown=True)
RECALL = Metric("r{}")
ERROR = Metric("error", label="mean error", title="Error", unit="mm", higher_is_better=False)


def test_one_of_a_family_is_found_by_its_number() -> None:
    """Rows hold r1, r5, r10 of one declaration; another name must not be taken for one of them."""
    metrics = Metrics({"a": (RECALL,)})
    assert metrics.find("r5") is RECALL
    assert RECALL.number("r0.5") == 0.5
    assert metrics.find("rest") is None
    assert metrics.find("xr5") is None


def test_an_exact_name_goes_before_its_family() -> None:
    """r1 may be shown where r5 is not."""
    first = Metric("r1", unseen_shown=True)
    metrics = Metrics({"a": (RECALL, first)})
    assert metrics.find("r1_unseen") is first
    assert metrics.find("r5_unseen") is RECALL


def test_one_name_means_one_thing() -> None:
    """Two tasks of one metric stand in one column: a second meaning would make it unreadable."""
    with pytest.raises(ValueError, match="task b: declares the metric 'top1' otherwise"):
        Metrics({"a": (ACCURACY,), "b": (Metric("top1"),)})
    assert (
        len(
            list(
                Metrics(
                    {"a": (ACCURACY,), "b": (Metric("top1", "", "Accuracy", unseen_shown=True),)}
                )
            )
        )
        == 1
    )


def test_a_task_is_judged_by_the_first_of_its_metrics_with_a_title() -> None:
    """By the rows alone, so that kept tables know it, too."""
    metrics = Metrics({"a": (RECALL, ACCURACY), "b": (ERROR,)})
    assert metrics.main(["r1", "error", "top1"]) is ERROR
    assert metrics.main(["r1", "gone"]) is None


def test_columns_stand_as_declared_and_unseen_beside_its_own() -> None:
    """A reader compares the two figures; a metric nobody declares any more comes last."""
    metrics = Metrics({"a": (ACCURACY, RECALL, ERROR)})
    names = ["gone", "error", "r5", "top1_unseen", "r1", "top1"]
    expected = ["top1", "top1_unseen", "r5", "r1", "error", "gone"]
    assert sorted(names, key=metrics.position) == expected


def test_a_number_is_printed_as_its_task_says() -> None:
    """A ratio to one decimal says nothing; which way is better stands where it is not the usual."""
    metrics = Metrics({"a": (ERROR, ACCURACY)})
    assert metrics.label("error_unseen") == "mean error, unseen"
    assert Metric("ratio", decimals=3).text(1.23456, "+") == "+1.235"
    assert (ERROR.heading, ACCURACY.heading) == ("Error, less is better", "Accuracy")
