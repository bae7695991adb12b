"""Like minus like: which number of ours is of the kind of a printed one, and their difference."""

from collections.abc import Callable
from typing import NamedTuple

from pstl.report.paper import (
    BEST,
    FIXED,
    LAST,
    UNKNOWN,
    Published,
    fixed_epoch,
    not_stated,
)

RELEASED = "released"  # the batch-norm statistics that the papers' code tests with
SUFFIX = {BEST: "_best", LAST: ""}  # of our metric of that kind
NO_KIND = "whether theirs is of the best epoch or of the last is not known"
OTHERWISE = (
    "their paper does not evaluate as this task does, or nobody says that it does; "
    "so nothing is subtracted"
)
NO_EPOCH = "of which epoch theirs is is not known"
SAID_BY_KIND = {
    BEST: "best epoch",
    LAST: "last epoch",
    FIXED: "one fixed epoch",
    UNKNOWN: "epoch not stated",
}

MINUS = "ours − published"
LIKE = "like for like"
EXPLAINED = (
    f"*{MINUS}*: the last epoch's number shown here minus theirs. *{LIKE}*: ours of the kind "
    "theirs is, minus theirs: batch norm as released, and our best tested epoch where theirs is "
    "the best on the test clips, our last where theirs is the last, the same epoch where theirs is "
    "of a fixed one. `-` where one of the two does not exist, or where their paper evaluates "
    "otherwise, with the reason in a footnote."
)


class Beside(NamedTuple):
    """A printed number beside one of ours.

    minus: ours minus theirs, whatever the kinds; None where the two are not of one protocol.
    like: ours of the kind theirs is.   like_minus: that minus theirs.
    why_not: why `like_minus`, or both differences, do not exist.
    """

    published: float | None
    kind: str
    assumed: str
    minus: float | None
    like: float | None
    like_minus: float | None
    why_not: str


class Ours(NamedTuple):
    """A number of ours that stands in the table.

    setting: with the axes.   mean: None if it was not run.   own_protocol: whether it is evaluated
    as the method's own paper does; None where that does not matter.
    """

    setting: str
    metric: str
    mean: float | None
    own_protocol: bool | None


def beside(theirs: Published, ours: Ours, released: Callable[[str], float | str]) -> Beside:
    """Both differences, or why there are none.

    released: metric -> our mean of this cell with released batch norm, or why there is none.
    """
    unsure = not_stated(theirs, ours.setting)
    assumed = " ".join(unsure)
    if unsure:
        why = f"not stated for both numbers: {', '.join(unsure)}; so nothing is subtracted"
        return Beside(theirs.value, theirs.kind, assumed, None, None, None, why)
    if ours.own_protocol is False:
        return Beside(theirs.value, theirs.kind, assumed, None, None, None, OTHERWISE)
    minus = None if ours.mean is None else ours.mean - theirs.value
    like = _like(theirs, ours.metric, released)
    if isinstance(like, str):
        return Beside(theirs.value, theirs.kind, assumed, minus, None, None, like)
    return Beside(theirs.value, theirs.kind, assumed, minus, like, like - theirs.value, "")


def _like(theirs: Published, metric: str, released: Callable[[str], float | str]) -> float | str:
    """Ours of the kind theirs is, or why there is none."""
    if theirs.kind in SUFFIX:
        return released(metric + SUFFIX[theirs.kind])
    if theirs.kind != FIXED:
        return NO_KIND
    epoch = fixed_epoch(theirs)
    return released(f"{metric}_epoch_{epoch}") if epoch else NO_EPOCH
