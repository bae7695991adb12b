"""Whether every data set, recipe and skeleton keeps its contract; what is wrong is one line."""

import inspect
import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from pstl.config import Frozen
from pstl.contracts import Dataset, Reader, Recipe
from pstl.data.spec import DatasetSpec
from pstl.errors import UserError
from pstl.records import DatasetConfig
from pstl.registry import load, names
from pstl.skeletons import check_tables
from pstl.skeletons import load as load_skeleton


def check_data_plugins() -> None:
    """Raises: UserError naming the first file that breaks its contract, and how."""
    check_tables()
    for name in names("data.datasets"):
        dataset = _exported("data.datasets", name, "DATASET", Dataset)
        _refuse(f"pstl/data/datasets/{name}.py", dataset_problems(dataset, name))
    for name in names("data.readers"):
        reader = _exported("data.readers", name, "READER", Reader)
        _refuse(f"pstl/data/readers/{name}.py", reader_problems(reader))
    for name in names("data.recipes"):
        recipe = _exported("data.recipes", name, "RECIPE", Recipe)
        _refuse(f"pstl/data/recipes/{name}.py", recipe_problems(recipe))


def _exported(kind: str, name: str, constant: str, contract: type) -> Any:
    """The object of a plug-in's module. Raises: UserError if there is no such thing."""
    where = f"pstl/{kind.replace('.', '/')}/{name}.py"
    plugin = vars(load(kind, name)).get(constant)
    if not isinstance(plugin, contract):
        expected = f"expected {constant} = YourClass(), a class of {contract.__name__}"
        raise UserError(f"{where}: {constant} is {plugin!r}, {expected}")
    return plugin


def _refuse(where: str, problems: Iterator[str]) -> None:
    for problem in problems:
        raise UserError(f"{where}: {problem}")


def dataset_problems(dataset: Dataset, name: str) -> Iterator[str]:
    """What is wrong with the data set of the file `name`.py."""
    try:
        spec = dataset.spec
    except AttributeError:
        yield "it has no spec, expected a DatasetSpec"
        return
    if not isinstance(spec, DatasetSpec):
        yield f"spec is {spec!r}, expected a DatasetSpec"
        return
    yield from _method_problems(dataset, Dataset)
    if wrong := list(_config_problems(dataset.Config, DatasetConfig)):
        yield from wrong
        return
    if spec.name != name:
        yield f"spec.name is {spec.name!r}, expected the name of the file, {name!r}"
    yield from _spec_problems(spec)
    yield from _count_problems(dataset)
    if spec.on_request and "accept_terms" not in dataset.Config.model_fields:
        yield "spec.on_request, but Config has no accept_terms: bool = False"
    makes, cuts = (_overrides(dataset, hook) for hook in ("make", "read_recording"))
    if not spec.remotes and not makes:
        yield "spec.remotes is empty and there is no make(self, cfg, folder): no files to read"
    if spec.remotes and makes:
        yield "both spec.remotes and make(): files are fetched or made, not both"
    if dataset.untrimmed != cuts:
        untrimmed = f"untrimmed is {dataset.untrimmed}"
        yield f"{untrimmed}, and read_recording is {'' if cuts else 'not '}defined; change one"


def _spec_problems(spec: DatasetSpec) -> Iterator[str]:
    classes = spec.classes
    if not classes or not all(isinstance(name, str) and name for name in classes):
        yield f"spec.classes is {classes!r}, expected the names of all classes"
    elif len(set(classes)) < len(classes):
        twice = next(name for name in classes if classes.count(name) > 1)
        yield f"spec.classes names {twice!r} twice"
    try:
        load_skeleton(spec.skeleton)
    except UserError as error:
        yield f"spec.skeleton: {error}; a new body is a file pstl/skeletons/NAME.py"
    if spec.people < 1:
        yield f"spec.people is {spec.people}, expected 1 or more body slots"
    if not spec.splits:
        yield "spec.splits is empty, expected a rule for each split"
    for remote in spec.remotes:
        try:
            re.compile(remote.members)
        except re.error as error:
            yield f"spec.remotes: members of {remote.filename} is no regular expression: {error}"


def _count_problems(dataset: Dataset) -> Iterator[str]:
    spec = dataset.spec
    known = ", ".join(spec.splits)
    for split, counts in dataset.expected(dataset.Config()).items():
        if split not in spec.splits:
            yield f"expected counts of the unknown split {split!r}; known: {known}"
        is_pair = isinstance(counts, tuple) and len(counts) == 2
        if not is_pair or not all(type(count) is int and count >= 0 for count in counts):
            yield f"expected counts of {split} are {counts!r}, expected (training, test) clips"
    for split in spec.overlap:
        if split not in spec.splits:
            yield f"spec.overlap names the unknown split {split!r}; known: {known}"
    for split in spec.folds:
        if split not in spec.splits:
            yield f"spec.folds names the unknown split {split!r}; known: {known}"


def reader_problems(reader: Reader) -> Iterator[str]:
    """What is wrong with a reader."""
    yield from _method_problems(reader, Reader)
    said = vars(type(reader))
    for name in ("suffixes", "expects"):
        if not said.get(name):
            yield f"has no {name}; see Reader"
    for suffix in said.get("suffixes", ()):
        if suffix != suffix.lower() or not suffix.startswith("."):
            yield f"suffixes has {suffix!r}, expected an ending such as .csv"


def recipe_problems(recipe: Recipe) -> Iterator[str]:
    """What is wrong with a recipe."""
    yield from _method_problems(recipe, Recipe)
    yield from _config_problems(recipe.Config, Frozen)
    if type(recipe.longest) is not int or recipe.longest < 1:
        yield f"longest is {recipe.longest!r}, expected a number of frames"
    if not recipe.metres > 0:
        yield f"metres is {recipe.metres!r}, expected the length of one unit"


def _config_problems(config: Any, base: type[Frozen]) -> Iterator[str]:
    if not isinstance(config, type) or not issubclass(config, base):
        yield f"Config is {config!r}, expected a class of {base.__name__}"
        return
    required = [name for name, field in config.model_fields.items() if field.is_required()]
    if required:
        yield f"Config has no default for {', '.join(required)}; people may leave out settings"


def _method_problems(plugin: object, contract: type) -> Iterator[str]:
    """Methods that take other arguments than the contract's, or are called almost like them."""
    promised = [name for name in vars(contract) if not name.startswith("_")]
    for name, method in inspect.getmembers(type(plugin), inspect.isfunction):
        if name.startswith("_"):
            continue
        if name in promised:
            actual, expected = (_arguments(each) for each in (method, getattr(contract, name)))
            if actual != expected:
                yield f"{name}({', '.join(actual)}), expected {name}({', '.join(expected)})"
        elif likely := get_close_matches(name, promised, n=1, cutoff=0.8):
            yield f"{name}() is no method of {contract.__name__}; did you mean {likely[0]}?"


def _arguments(method: Any) -> list[str]:
    return list(inspect.signature(method).parameters)


def _overrides(dataset: Dataset, hook: str) -> bool:
    return getattr(type(dataset), hook) is not getattr(Dataset, hook)
