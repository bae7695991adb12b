"""What must hold between sections: names that exist, encoders that fit, no leak into tests."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pstl.config.asked_floors import check_floors, floor_tasks
from pstl.config.between_suites import check_reuse, check_same_encoders
from pstl.config.cells import NAME, Cell
from pstl.config.declared import check_declared
from pstl.config.document import Document
from pstl.config.grid import classifies, draws_labels, takes_labels
from pstl.config.overlap import check_corpus, check_sources, check_weights
from pstl.config.params import Params, Settings, entries_of
from pstl.config.resolve import Entries
from pstl.config.suites import OWN, Experiment, Suite
from pstl.config.validation import Where, known, shortened, validated
from pstl.errors import UserError
from pstl.registry import dataset_names, is_declared, load_dataset, load_recipe
from pstl.registry import load as load_plugin

LONGEST = 220  # letters of a cell's name, which files are called after; they have 255 at most
KEPT = "measured"  # results/measured holds kept tables


def check_shared(params: Params) -> None:
    """What all suites share. Raises: UserError that names the place and the key."""
    where = suite_where(params.documents, "")
    _check_entries(params, where)
    check_declared(params.documents, "")
    for dataset in params.datasets:
        known(dataset, dataset_names(), "dataset", where.below("datasets", dataset))
    _check_all_entries(params.entries_in_paper(), params.methods, params.tasks)
    known(params.suite, params.suites, "suite", where.below("suite"))


def check_references(
    settings: Settings, name: str, suites: Mapping[str, Suite], documents: Mapping[str, Document]
) -> None:
    """Check what a suite's grid is built on.

    Raises: UserError that names the place and the key.
    """
    suite, where = suites[name], suite_where(documents, name)
    check_reuse(name, suite, suites, where)
    check_declared(documents, name)
    _check_entries(suite, where)
    reused = suites[suite.reuse_encoders_from].methods if suite.reuse_encoders_from else {}
    methods = settings.methods.keys() | suite.methods.keys() | reused.keys()
    tasks = settings.tasks.keys() | suite.tasks.keys()
    for number, block in enumerate(suite.blocks()):
        place = _block_where(where, number)
        _check_axes(block, place)
        for index, method in enumerate(block.methods):
            known(method, methods, "method", place.below("methods", index))
        for index, task in enumerate(block.tasks):
            known(task, tasks, "task", place.below("tasks", index))
        for task in floor_tasks(block):
            known(task, tasks, "task", place.below("floors"))
    used = {method for block in suite.experiments for method in block.methods}
    for method in suite.encoder_seeds:
        place = where.below("encoder_seeds", method)
        known(method, used, f"method in {name}.encoder_seeds", place)


def check_names(params: Params, name: str) -> None:
    """Check a suite without importing a plug-in.

    Raises: UserError naming the key, what was found and what was expected.
    """
    suite, where = params.suites[name], suite_where(params.documents, name)
    for method in suite.encoder_seeds:
        if takes_labels(params.method(name, method)):
            named = where.below("encoder_seeds", method).text()
            raise UserError(
                f"{named}: {method} learns from the labels of a draw, so that it has an "
                "encoder of every draw; take it out there"
            )
    _check_all_entries(entries_of(params, name), suite.methods, suite.tasks)
    for block, place in _blocks(params, name):
        _check_fused_tasks(params, name, block, place)
        _check_labels(params, name, block, place)
    check_floors(params, name, where)
    check_same_encoders(params, name)
    _check_paths(params, name, where)


def check_name(name: str, place: str) -> None:
    """Raises: UserError for a name that no file, no shell and no wildcard takes as it is."""
    if not NAME.fullmatch(name) or name == KEPT:
        raise UserError(
            f"{place} {shortened(name)} is no name; expected letters, digits and _ . + - "
            f"(at most 100, the first a letter or digit), and not {KEPT}"
        )


def check_own_data(params: Params, suite: str) -> None:
    """Look at the files of the data sets that settings declare and a suite uses. Free of torch.

    Raises: UserError for a folder, table or split that makes no data set.
    """
    for name in sorted({run.dataset for run in params.runs(suite)}):
        if is_declared(name):
            load_dataset(name)


def check_plugins(params: Params, suite: str) -> None:
    """Check the settings of every plug-in that a suite uses. Imports torch.

    Raises: UserError naming the key, what was found and what was expected.
    """
    for name, section in params.datasets.items():
        where = suite_where(params.documents, "").below("datasets", name)
        validated(load_dataset(name).Config, section, where)
    for block, place in _blocks(params, suite):
        dataset = load_dataset(block.dataset)
        for split in block.splits:
            known(split, dataset.spec.splits, f"split of {block.dataset}", place.below("splits"))
        check_sources(block, place)
        for method in block.methods:
            check_weights(method, params.method(suite, method), block, place)
            check_corpus(method, params.method(suite, method), block, place)
    entries, paper, used = entries_of(params, suite), params.entries_in_paper(), params.grid(suite)
    methods = [cell.run.method for cell in used]
    for name in dict.fromkeys((*methods, *params.suites[suite].methods)):
        _check_method(entries, name)
    tasks = [(cell.task, cell.protocol) for cell in used]
    for task in dict.fromkeys((*tasks, *((name, "") for name in params.suites[suite].tasks))):
        _check_task(entries, *task)
    for name in params.methods:
        _check_method(paper, name)
        for task_name in paper.protocol(name):
            _check_task(paper, task_name, name)
    for name in params.tasks:
        _check_task(paper, name)


def _check_task(entries: Entries, name: str, protocol: str = "") -> None:
    """The settings of a task entry; its share of labels may be that of an experiment."""
    task = entries.task(name, protocol)
    share = {"labels": 1.0} if draws_labels(task) else {}
    where = entries.where("tasks", name)
    if protocol:
        stated = entries.where("methods", protocol).below("protocol", name)
        where = replace(where, places=(*where.places, *stated.places))
    validated(load_plugin("tasks", task.kind).TASK.settings, share | task.settings, where)


def suite_where(documents: Mapping[str, Document], name: str) -> Where:
    """The file of a suite, of params.yaml for ""; a suite's name where it has none."""
    if name in documents:
        return Where("", ((documents[name], ()),))
    return Where(f"suites.{name}" if name else "")


def _blocks(params: Params, suite: str) -> Iterator[tuple[Experiment, Where]]:
    where = suite_where(params.documents, suite)
    for number, block in enumerate(params.suite_named(suite).blocks()):
        yield block, _block_where(where, number)


def _block_where(suite: Where, number: int) -> Where:
    """The place of an experiment, whose axes may stand with the suite."""
    block = suite.below("experiments", number)
    return replace(block, places=(*block.places, *suite.places))


def _check_entries(settings: Params | Suite, where: Where) -> None:
    """The names of a file's entries."""
    for section in ("methods", "tasks"):
        for name in getattr(settings, section):
            place = replace(where.below(section, name), name=section)
            check_name(name, f"{place.text()}:")


def _check_all_entries(entries: Entries, methods: Iterable[str], tasks: Iterable[str]) -> None:
    """Entries that no experiment uses, too: a mistyped name makes another entry."""
    every_task = entries.tasks.keys() | entries.task_changes.keys()
    for name in methods:
        where = entries.where("methods", name)
        for task, change in entries.method(name).protocol.items():
            named = change if isinstance(change, str) else task
            what = f"task in the protocol of methods.{name}"
            known(named, every_task, what, where.below("protocol", task))
    for name in tasks:
        entries.task(name)


def _check_paths(params: Params, suite: str, where: Where) -> None:
    """Two cells of one name would overwrite each other's rows, and a name that is too long is none
    of a file.
    """
    earlier: dict[str, Cell] = {}
    for cell in params.grid(suite):
        if len(cell.name) > LONGEST:
            found = f"{shortened(cell.name)} has {len(cell.name)} letters"
            raise UserError(
                f"{where.text()}: {found}, expected at most {LONGEST}; shorten the names of its "
                "task, source or protocol"
            )
        if earlier.setdefault(str(cell), cell) != cell:
            raise UserError(f"{where.text()}: two cells are called {cell}; rename a task")


def _check_axes(block: Experiment, place: Where) -> None:
    if not block.dataset or not block.splits:
        missing = "splits" if block.dataset else "dataset"
        raise UserError(f"{place.text()}: no {missing}; name it there, or once for the whole suite")
    known(block.dataset, dataset_names(), "dataset", place.below("dataset"))
    if block.fuse and (unseen := set(block.fuse.weights) - set(block.streams)):
        raise UserError(
            f"{place.below('fuse').text()}: fuse names the streams {sorted(unseen)}, "
            f"but streams are {list(block.streams)}"
        )
    if block.fuse and (absent := set(block.fuse.tasks) - set(block.tasks)):
        raise UserError(
            f"{place.below('fuse').text()}: fuse names the tasks {sorted(absent)}, "
            f"but tasks are {list(block.tasks)}"
        )
    for source in block.sources:
        _check_source_name(source, place.below("sources"))


def _check_source_name(source: str, place: Where) -> None:
    if source == OWN:
        return
    dataset, _, split = source.partition("/")
    if not split:
        raise UserError(
            f"{place.text()}: {source!r}; expected dataset/split, e.g. nwucla/xview, or {OWN}"
        )
    known(dataset, dataset_names(), "data set in a source", place)


def _check_fused_tasks(params: Params, suite: str, block: Experiment, place: Where) -> None:
    for name in block.fuse.tasks if block.fuse else ():
        if not classifies(params.task(suite, name)):
            raise UserError(
                f"{place.below('fuse').text()}: fuse names the task {name!r}, "
                "which gives no class scores; take it out of 'fuse'"
            )


def _check_labels(params: Params, suite: str, block: Experiment, place: Where) -> None:
    """Shares of labels are for somebody, and a task that draws labels has a share."""
    learning = [m for m in block.methods if takes_labels(params.method(suite, m))]
    drawing = [t for t in block.tasks if draws_labels(params.task(suite, t))]
    if block.labels and not learning and not drawing:
        raise UserError(
            f"{place.below('labels').text()}: no method there learns from labels, "
            "and no task draws some; take 'labels' out"
        )
    for task in drawing:
        if not block.labels and "labels" not in params.task(suite, task).settings:
            raise UserError(
                f"{place.text()}: the task {task} draws labels; add e.g. 'labels: [0.01, 0.1]'"
            )


def _check_method(entries: Entries, name: str) -> None:
    section = entries.method(name)
    where = entries.where("methods", name, entries.chain(name)[-2::-1])
    module = load_plugin("methods", section.method)
    config = validated(module.Config, section.settings, where.below("settings"))
    if mismatch := module.Method.mismatch(config, section.train):
        raise UserError(f"{where.text()}: {mismatch}")
    if section.labels is not None and not module.Method.wants.labels:
        raise UserError(
            f"{where.below('labels').text()} is {section.labels}, "
            f"but {section.method} sees no labels; remove 'labels'"
        )
    if section.corpus and takes_labels(section):
        raise UserError(
            f"{where.below('corpus').text()}: {section.method} learns from labels, and clips of "
            "other data sets have none of this one's; remove 'corpus'"
        )
    if section.weights and section.weights.source != section.method:
        raise UserError(
            f"{where.below('weights', 'source').text()} is {section.weights.source}, whose "
            f"encoders are of the method {section.weights.source}, but this entry's is "
            f"{section.method}; write 'method: {section.weights.source}', or name other weights"
        )
    encoder, recipe = section.encoder, section.recipe
    config = load_plugin("backbones", encoder.name).Config
    validated(config, encoder.settings, where.below("encoder"))
    config = load_recipe(recipe.name).Config
    validated(config, recipe.settings, where.below("recipe"))
