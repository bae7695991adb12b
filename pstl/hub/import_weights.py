"""Checkpoints of released code, and of what grew from it, as encoder.pt of this project."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from pstl.contracts import Importer
from pstl.errors import UserError
from pstl.files import has_ending
from pstl.located import Absent, Located, Part, encoder_in, is_average, last_part
from pstl.modules import BaseEncoder
from pstl.registry import load as load_plugin
from pstl.registry import load_dataset, names
from pstl.train import encoder_file
from pstl.train.checkpoint import read
from pstl.train.encoder_file import EncoderCard

log = logging.getLogger(__name__)
LONGEST = 160  # characters of a reason that a library gives


class Told(NamedTuple):
    """What no checkpoint says.

    skeleton: the body it was trained on, if not the one that the released code reads.
    stream: what it was trained on, if not joint, or the only one.
    dataset: whose classes the outputs of a head are.
    part: what stands in front of the encoder's names, where a file holds several.
    """

    skeleton: str = ""
    stream: str = ""
    dataset: str = ""
    part: str = ""


class Released(NamedTuple):
    """What a checkpoint of released code is to us. classifier: None, it has none."""

    card: EncoderCard
    encoder: BaseEncoder
    classifier: nn.Linear | None


def import_weights(
    source: str,
    official: str | Path,
    out: str | Path,
    told: Told | None = None,
) -> EncoderCard:
    """Turn a checkpoint of released code into encoder.pt.

    source: a method with an importer, a file of pstl/importers.   out: a path that ends in .pt.
    Raises: UserError as read_released() does.
    """
    has_ending(out, ".pt")
    released = read_released(source, official, told)
    encoder_file.save(out, *released)
    return released.card


def read_released(source: str, official: str | Path, told: Told | None = None) -> Released:
    """A checkpoint of released code. Only tensors are read, never code.

    Raises: UserError if the source has no such code, or the file is not its checkpoint.
    """
    if source not in names("importers"):
        known = ", ".join(names("importers"))
        raise UserError(f"no released code to import from for {source!r}; known: {known}")
    importer: Importer = load_plugin("importers", source).IMPORTER
    skeleton, stream, dataset, part = told or Told()
    streams = encoder_file.streams_of(source)
    stream = stream or streams[0]
    if stream not in streams:
        raise UserError(f"unknown stream {stream!r}; {source} has {', '.join(streams)}")
    content = read(official)
    with _blamed_on(official, source):
        located = encoder_in(content, importer.anchor, part, importer.parts.get(stream, ""))
        _check_stream(importer, located, stream)
        fields, state = importer.read(located, skeleton or importer.skeleton)
        origin = {"imported_from": Path(official).name} | ({"dataset": dataset} if dataset else {})
        card = EncoderCard(**{**fields, "stream": stream}, provenance=origin)
        encoder = _built(card)
        _check_fit(importer, located, encoder, state)
        classifier = _classifier(importer, located, encoder)
        _check_classes(dataset, classifier)
    encoder_file.load_state(encoder, state, str(official))
    for line in (
        _encoder_line(importer, located, len(state)),
        _head_line(importer, located.encoder, classifier, dataset),
        _left_line(located),
    ):
        log.info("%s: %s", official, line)
    return Released(card, encoder, classifier)


@contextmanager
def _blamed_on(official: str | Path, source: str) -> Iterator[None]:
    """Whatever cannot be made of the file is said of the file, in its own names."""
    foreign = f"{official}: not a checkpoint of the released {source} code"
    try:
        yield
    except UserError as error:
        raise UserError(f"{official}: {error}") from None
    except Absent as error:
        raise UserError(f"{foreign}: {error}") from None
    except KeyError as error:
        raise UserError(f"{foreign}: no weight called {error.args[0]} in it") from None
    except (AttributeError, TypeError, IndexError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:LONGEST]
        raise UserError(f"{foreign}: its weights do not go together ({reason})") from None


def _check_stream(importer: Importer, located: Located, stream: str) -> None:
    """Raises: UserError for the encoder of another stream.

    Code that has one encoder in a file gives it the name that joint's has elsewhere.
    """
    prefix = located.encoder.prefix
    for other, name in importer.parts.items():
        if name == last_part(prefix) and other not in (stream, "joint"):
            remedy = f"name it with --stream {other}"
            raise UserError(f"{prefix}* is the encoder of the stream {other}; {remedy}")


def _built(card: EncoderCard) -> BaseEncoder:
    """An encoder of the sizes that the shapes of the weights tell."""
    try:
        return encoder_file.build(card)
    except UserError as error:
        message = "the shapes of its weights are those of no such encoder"
        raise UserError(f"{message} ({error})") from None


def _check_fit(
    importer: Importer,
    located: Located,
    encoder: BaseEncoder,
    state: dict[str, Tensor],
) -> None:
    """Raises: UserError naming the first weight that is missing, too many, or of another shape."""
    own = encoder.state_dict()
    for name in sorted(own.keys() | state.keys()):
        shape = tuple(state[name].shape) if name in state else "nothing"
        expected = tuple(own[name].shape) if name in own else "nothing"
        if shape != expected:
            theirs = located.encoder.prefix + importer.official_name(name)
            sizes = f"found {shape}, expected {expected} beside the others in it"
            raise UserError(f"weight {theirs}: {sizes}")


def _classifier(importer: Importer, located: Located, encoder: BaseEncoder) -> nn.Linear | None:
    """The linear head that came with the encoder, if any."""
    head = importer.classifier(located)
    if head is None:
        return None
    layer = encoder_file.linear(head)
    if layer.in_features != encoder.width:
        expected = f"expected the encoder's {encoder.width}"
        raise UserError(f"its head takes {layer.in_features} features, {expected}")
    return layer


def _check_classes(dataset: str, classifier: nn.Linear | None) -> None:
    """Raises: UserError for an unknown data set, or one of another number of classes."""
    if not dataset:
        return
    count = len(load_dataset(dataset).spec.classes)
    if classifier is not None and classifier.out_features != count:
        expected = f"expected the {count} of {dataset}"
        remedy = "name the data set it was trained on with --dataset"
        raise UserError(f"its head has {classifier.out_features} classes, {expected}; {remedy}")


def _encoder_line(importer: Importer, located: Located, weights: int) -> str:
    """Where in the file the encoder was, and by which weight it was told."""
    state = located.encoder
    front = f"below {state.prefix!r}" if state.prefix else "at the top"
    first = _named({state.prefix + importer.anchor: state[importer.anchor]})
    return f"encoder found {front}, {weights} weights, told by {first}"


def _head_line(
    importer: Importer, encoder: Part, classifier: nn.Linear | None, dataset: str
) -> str:
    """What was made of the head beside the encoder, in the file's names."""
    head = {
        name: tensor for name, tensor in encoder.items() if name.startswith(f"{importer.head}.")
    }
    held = _named({encoder.prefix + name: tensor for name, tensor in head.items()})
    if classifier is None:
        return f"no classifier: {held} project for the loss" if head else "no classifier"
    whose = dataset or "a data set that the file does not name (--dataset)"
    return f"a classifier of {classifier.out_features} classes, of {whose}: {held}"


def _left_line(located: Located) -> str:
    """Tensors of the same dictionary that were not taken, by the first part of their names."""
    wrapper = located.encoder.prefix.removesuffix(f"{last_part(located.encoder.prefix)}.")
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in located.beside.items():
        inner = name.removeprefix(wrapper)
        group = name.removesuffix(inner) + inner.split(".")[0]
        groups.setdefault(group, {})[name] = tensor
    left = [_group(name, tensors) for name, tensors in sorted(groups.items())]
    return f"left out: {', '.join(left) or 'nothing'}"


def _group(name: str, tensors: dict[str, Tensor]) -> str:
    """Tensors that stand below one name."""
    if name in tensors:
        return _named(tensors)
    return f"{name} ({len(tensors)} tensors{', a momentum encoder' * is_average(name)})"


def _named(tensors: dict[str, Tensor]) -> str:
    """Tensors as the file has them, for a message."""
    return ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors.items())
