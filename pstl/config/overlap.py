"""No encoder was trained on the clips that it is tested on, wherever it was trained."""

from typing import Any

from pstl.config.settings import MethodSettings
from pstl.config.suites import OWN, Experiment
from pstl.config.validation import Where, known
from pstl.errors import UserError
from pstl.registry import dataset_names, load_dataset


def check_sources(block: Experiment, place: Where) -> None:
    """The sources of an experiment. Raises: UserError for one that its tests do not allow."""
    target = load_dataset(block.dataset).spec
    place = place.below("sources")
    for source in block.sources:
        _check_split(source, f"split in a source of {block.dataset}", place)
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
    _check_split(trained_on, f"split in the weights of {name}", place)
    target = load_dataset(block.dataset).spec
    for tested in block.splits:
        said = f"{place.text()}: the weights of {name}: "
        check_training(trained_on, target, tested, said, "splits of it")


def check_corpus(name: str, method: MethodSettings, block: Experiment, place: Where) -> None:
    """What an entry of an experiment is trained on, beside the run's own training side.

    Raises: UserError for a data set or split that there is not, or where one of the training sides
    has clips of a test side: of the experiment's, or of one that the corpus names.
    """
    said = f"{place.text()}: the corpus of {name}: "
    for side in method.corpus:
        _check_split(side, f"split in the corpus of {name}", place)
    own = [f"{block.dataset}/{split}" for split in block.splits]
    sources = [source for source in block.sources if source != OWN]
    for trained in (*own, *sources, *method.corpus) if method.corpus else ():
        for tested in (*own, *method.corpus):
            dataset, _, split = tested.partition("/")
            if trained not in own or tested not in own:  # splits of one suite are runs of their own
                check_training(trained, load_dataset(dataset).spec, split, said, "splits of it")


def check_training(source: str, target: Any, tested: str, said: str, which: str) -> None:
    """Refuse an encoder trained on dataset/split `source` that is tested on a split of `target`.

    target: a DatasetSpec.   said: how a message begins.   which: how it calls what would do.
    Raises: UserError naming a clip, or the data set of which nobody can tell.
    """
    dataset, _, split = source.partition("/")
    if source == f"{target.name}/{tested}":
        return
    spec = load_dataset(dataset).spec
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


def _check_split(source: str, what: str, place: Where) -> None:
    """Raises: UserError if a source, but the run's own, is not dataset/split of a data set."""
    if source == OWN:
        return
    dataset, _, split = source.partition("/")
    known(dataset, dataset_names(), f"data set of a {what}", place)
    known(split, load_dataset(dataset).spec.splits, what, place)
