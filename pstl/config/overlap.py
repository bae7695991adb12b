"""No encoder was trained on the clips that it is tested on, wherever it was trained."""

from typing import Any

from pstl.config.settings import MethodSettings
from pstl.config.suites import OWN, Experiment
from pstl.config.validation import Where, known
from pstl.errors import UserError
from pstl.registry import load_dataset


def check_sources(block: Experiment, place: Where) -> None:
    """The sources of an experiment. Raises: UserError for one that its tests do not allow."""
    target = load_dataset(block.dataset).spec
    place = place.below("sources")
    for source in block.sources:
        for tested in block.splits if source != OWN else ():
            if source == f"{target.name}/{tested}":
                raise UserError(f"{place.text()}: {source} is what the runs are of; write {OWN}")
            check_training(source, target, tested, f"{place.text()}: ", "sources")


def check_weights(name: str, method: MethodSettings, block: Experiment, place: Where) -> None:
    """Weights that others trained, which an experiment takes for the encoder of all its clips.

    Raises: UserError where they have seen clips that it tests on, or are not of what it names.
    """
    if method.weights is None:
        return
    trained_on = method.weights.trained_on
    if other := sorted(set(block.sources) - {OWN, trained_on}):
        raise UserError(
            f"{place.below('sources').text()}: {other[0]}, but the weights of {name} were "
            f"trained on {trained_on}; give {name} an experiment without 'sources'"
        )
    target = load_dataset(block.dataset).spec
    for tested in block.splits:
        said = f"{place.text()}: the weights of {name}: "
        check_training(trained_on, target, tested, said, "splits of it")


def check_training(source: str, target: Any, tested: str, said: str, which: str) -> None:
    """Refuse an encoder trained on dataset/split `source` that is tested on a split of `target`.

    target: a DatasetSpec.   said: how a message begins.   which: how it calls what would do.
    Raises: UserError naming a clip, or the data set of which nobody can tell.
    """
    dataset, _, split = source.partition("/")
    if source == f"{target.name}/{tested}":
        return
    spec = load_dataset(dataset).spec
    known(split, spec.splits, f"{said}split of {dataset}")
    if spec.name == target.name and spec.universe is None:
        raise UserError(
            f"{said}{source} and {target.name}/{tested} are of the same clips; a run's own encoder "
            "is the only one that has surely not been trained on its test clips"
        )
    clip = spec.leak(split, target, tested)
    if clip is None:
        return
    spared = [each for each in spec.splits if not spec.leak(each, target, tested)]
    raise UserError(
        f"{said}{spec.name}/{split} trains on clips that {target.name}/{tested} tests on, "
        f"e.g. set-up {clip.setup}, performer {clip.subject}, camera {clip.camera}; "
        f"{which} that do not: {', '.join(spared) or 'none'}"
    )
