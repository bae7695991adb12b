"""What all released code has in common: weights under names of its own, somewhere in a checkpoint."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from pstl.errors import UserError
from pstl.skeletons import load
from pstl.skeletons.mapping import fitting

Official = tuple[dict[str, Any], dict[str, Tensor]]  # card fields, and weights under our names
TWINS = ("encoder_k", "key_encoder", "momentum_encoder", "teacher")  # moving averages of the encoder
SHOWN = 3  # names that a message gives as examples


class Part(dict[str, Tensor]):
    """Weights by name, all below one prefix of the file; what is missing is told with its whole name."""

    def __init__(self, content: Mapping[str, Tensor], prefix: str = "") -> None:
        super().__init__(content)
        self.prefix = prefix

    def __missing__(self, name: str) -> Tensor:
        raise KeyError(self.prefix + name)

    def below(self, prefix: str) -> "Part":
        """What stands below a prefix, without it."""
        inner = {key.removeprefix(prefix): value for key, value in self.items() if key.startswith(prefix)}
        return Part(inner, self.prefix + prefix)


class Found(NamedTuple):
    """The encoder of a checkpoint. beside: the other tensors of the same dictionary, by their whole names."""

    encoder: Part
    beside: dict[str, Tensor]


class Absent(LookupError):
    """A checkpoint has no such encoder."""


def encoder_in(content: Any, anchor: str, part: str = "") -> Found:
    """The weights that stand beside `anchor`, a weight that every such encoder has, however they are wrapped.

    content: what a checkpoint holds: tensors by name, in dictionaries ("state_dict", "model", ...) if
    need be; names may have anything in front ("module.", "encoder_q.", ...). A momentum twin is not
    taken. What was found before is given back.   part: what stands in front, where there are several.
    Raises: Absent if there is no encoder, UserError if there are more than one.
    """
    if isinstance(content, Found):
        return content
    places = [
        (key.removesuffix(anchor), tensors) for tensors in _dictionaries(content) for key in tensors if f".{key}".endswith(f".{anchor}")
    ]
    wanted = [place for place in places if place[0].rstrip(".") == part.rstrip(".")] if part else places
    own = [place for place in wanted if not any(twin in place[0] for twin in TWINS)] or wanted
    if len(own) == 1:
        prefix, tensors = own[0]
        beside = {key: value for key, value in tensors.items() if not key.startswith(prefix)}
        return Found(Part(tensors).below(prefix), beside)
    if places:
        fronts = ", ".join(repr(prefix) for prefix, _ in places)
        raise UserError(f"{len(own)} encoders called {part!r}, found {fronts}; name one with --part")
    raise Absent(f"found {shown(content)}; expected one called {anchor}, whatever stands in front")


def check_joints(joints: int, skeleton: str) -> None:
    """Raises: UserError if the weights are not for so many joints as the body has that they are said to be for."""
    if joints != load(skeleton).joints:
        raise UserError(
            f"its weights are for {joints} joints, expected the {load(skeleton).joints} of {skeleton}; "
            f"name the body it was trained on with --skeleton: {fitting(joints)}"
        )


def shown(content: Any) -> str:
    """What a checkpoint holds, for a message."""
    tensors = [item for dictionary in _dictionaries(content) for item in dictionary.items()]
    if not tensors:
        return "no tensors"
    examples = ", ".join(f"{name} {tuple(value.shape)}" for name, value in tensors[:SHOWN])
    return f"{len(tensors)} tensors: {examples}" + ", ..." * (len(tensors) > SHOWN)


def _dictionaries(content: Any) -> Iterator[dict[str, Tensor]]:
    """Every dictionary of tensors, at any depth."""
    if not isinstance(content, Mapping):
        return
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if tensors:
        yield tensors
    for value in content.values():
        yield from _dictionaries(value)
