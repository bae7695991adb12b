"""Where in a checkpoint of released code the encoder is: its weights under their own names."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from pstl.errors import UserError
from pstl.skeletons import load
from pstl.skeletons.mapping import fitting

MOMENTUM_ENCODERS = (
    "encoder_k",
    "key_encoder",
    "momentum_encoder",
    "teacher",
)  # averages of the encoder
SHOWN = 3  # names that a message gives as examples


class Part(dict[str, Tensor]):
    """Weights by name, below one prefix of the file, with which what is missing is told."""

    def __init__(self, content: Mapping[str, Tensor], prefix: str = "") -> None:
        super().__init__(content)
        self.prefix = prefix

    def __missing__(self, name: str) -> Tensor:
        raise KeyError(self.prefix + name)

    def below(self, prefix: str) -> "Part":
        """What stands below a prefix, without it."""
        names = [name for name in self if name.startswith(prefix)]
        inner = {name.removeprefix(prefix): self[name] for name in names}
        return Part(inner, self.prefix + prefix)


class Located(NamedTuple):
    """The encoder of a checkpoint.   beside: other tensors of its dictionary, by full names."""

    encoder: Part
    beside: dict[str, Tensor]


class Place(NamedTuple):
    """Where an encoder is.

    way: the keys that lead to its dictionary.   prefix: what stands in front of its names there.
    """

    way: str
    prefix: str
    tensors: dict[str, Tensor]

    @property
    def last(self) -> str:
        """The last part of what stands in front of its names, such as encoder_q."""
        return last_part(self.front)

    @property
    def front(self) -> str:
        """All that stands in front of its names."""
        return self.way + self.prefix

    @property
    def names(self) -> tuple[str, str]:
        """What the user may call it."""
        return self.front.rstrip("."), self.prefix.rstrip(".")


class Absent(LookupError):
    """A checkpoint has no such encoder."""


def encoder_in(content: Any, anchor: str, part: str = "", preferred: str = "") -> Located:
    """The weights beside `anchor`, a weight that every such encoder has, however they are wrapped.

    content: what a checkpoint holds: tensors by name, in dictionaries ("state_dict", "model", ...)
    or not; names may have anything in front ("module.", "encoder_q.", ...). A momentum
    encoder is not taken.   part: what is in front, where there are several.   preferred: the last
    part of it, of which one is taken where `part` does not say.
    Raises: Absent if there is no encoder, UserError if there are more than one.
    """
    places = list(_places(content, anchor))
    named = [place for place in places if part.rstrip(".") in place.names]
    wanted = named if part else places
    trained = [place for place in wanted if not is_average(place.front)]
    encoders = trained or wanted
    called = [place for place in encoders if place.last == preferred]
    if len(called) == 1 and not part:
        encoders = called
    if len(encoders) == 1:
        _, prefix, tensors = encoders[0]
        beside = {key: value for key, value in tensors.items() if not key.startswith(prefix)}
        return Located(Part(tensors).below(prefix), beside)
    if places:
        fronts = ", ".join(repr(place.front) for place in places)
        count = f"{len(encoders)} encoders" + f" called {part!r}" * bool(part)
        raise UserError(f"{count}, of {fronts}; name one with --part")
    raise Absent(f"found {shown(content)}; expected one called {anchor}, whatever stands in front")


def last_part(prefix: str) -> str:
    """What stands in front of names, without what wraps it: "module.encoder_q." -> "encoder_q"."""
    return prefix.rstrip(".").rpartition(".")[2]


def is_average(front: str) -> bool:
    """Whether weights below such a name are those of a momentum encoder."""
    return any(name in front for name in MOMENTUM_ENCODERS)


def check_joints(joints: int, skeleton: str) -> None:
    """Raises: UserError if the weights are for another number of joints than the body has."""
    if joints != load(skeleton).joints:
        expected = f"the {load(skeleton).joints} of {skeleton}"
        remedy = f"name the body it was trained on with --skeleton: {fitting(joints)}"
        raise UserError(f"its weights are for {joints} joints, expected {expected}; {remedy}")


def shown(content: Any) -> str:
    """What a checkpoint holds, for a message."""
    tensors = [item for _, dictionary in _dictionaries(content) for item in dictionary.items()]
    if not tensors:
        return "no tensors"
    examples = ", ".join(f"{name} {tuple(value.shape)}" for name, value in tensors[:SHOWN])
    return f"{len(tensors)} tensors: {examples}" + ", ..." * (len(tensors) > SHOWN)


def _places(content: Any, anchor: str) -> Iterator[Place]:
    """Everywhere that a weight of this name is."""
    for way, tensors in _dictionaries(content):
        for name in tensors:
            if f".{name}".endswith(f".{anchor}"):
                yield Place(way, name.removesuffix(anchor), tensors)


def _dictionaries(content: Any, way: str = "") -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Every dictionary of tensors, at any depth, and the keys that lead to it."""
    if not isinstance(content, Mapping):
        return
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if tensors:
        yield way, tensors
    for key, value in content.items():
        yield from _dictionaries(value, f"{way}{key}.")
