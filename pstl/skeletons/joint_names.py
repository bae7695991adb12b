"""Joints as people write them in files, found among the joints of a body."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import chain

from pstl.skeletons import Skeleton, load, names

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
SIDES = {"l": "left", "r": "right", "left": "left", "right": "right"}
SPELLED = {"center": "centre"}
# What the middle of a body is called elsewhere -> here, where a body has no name of its own for it.
ELSEWHERE = {
    "pelvis": "hip centre",
    "root": "hip centre",
    "mid hip": "hip centre",
    "spine base": "hip centre",
    "base spine": "hip centre",
    "mid spine": "spine",
    "spine mid": "spine",
    "torso": "spine",
    "thorax": "shoulder centre",
    "spine shoulder": "shoulder centre",
    "mid shoulder": "shoulder centre",
    "shoulder spine": "shoulder centre",
    "hip centre": "spine base",
    "spine": "spine mid",
    "shoulder centre": "spine shoulder",
}


def normal(text: str) -> str:
    """A joint's name in words, the side first.

    >>> normal("LWrist"), normal("wrist_left"), normal("ShoulderCenter")
    ('left wrist', 'left wrist', 'shoulder centre')
    """
    words = [word.lower() for word in WORD.findall(text)]
    sides = [SIDES[word] for word in words if word in SIDES][:1]
    rest = [SPELLED.get(word, word) for word in words if word not in SIDES]
    return " ".join([*sides, *rest])


def places(texts: Sequence[str], body: Skeleton) -> dict[str, int]:
    """Joints, as the body or another one calls them -> where each stands among a file's names.

    A file that has every joint under its name here means what that name says here; else joints may
    be `called` otherwise.
    """
    named: dict[str, int] = {}
    for place, text in enumerate(texts):
        named.setdefault(normal(text), place)
    if named.keys() >= set(body.names[: body.recorded]):
        return {name: place for name, place in named.items() if name in every_name()}
    joints: dict[str, int] = {}
    for name, place in named.items():
        called = (body.called.get(name, name), ELSEWHERE.get(name, ""))
        of_body = [candidate for candidate in called if candidate in body.names]
        if of_body or name in every_name():
            joints.setdefault(of_body[0] if of_body else name, place)
    return joints


@cache
def every_name() -> frozenset[str]:
    """Every joint that some body has."""
    return frozenset(chain.from_iterable(load(name).names for name in names()))


def body_of(texts: Sequence[str]) -> str:
    """The body all of whose recorded joints are among these names: the one with most of them.

    Returns: "" if there is none.
    """
    fitting: list[tuple[int, str]] = []
    for name in names():
        body = load(name)
        if places(texts, body).keys() >= set(body.names[: body.recorded]):
            fitting.append((-body.recorded, name))
    return min(fitting)[1] if fitting else ""
