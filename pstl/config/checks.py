"""What must hold between the sections of params.yaml: names that exist, encoders that fit, no clip trained on and tested on."""

from typing import Any

from pstl.config.params import Params
from pstl.config.settings import Experiment, known, validated
from pstl.errors import UserError
from pstl.registry import load as load_plugin
from pstl.registry import load_dataset, load_recipe
from pstl.registry import names as plugin_names


def check_names(params: Params) -> None:
    """Check every suite without importing a plug-in. Raises: UserError naming the key, what was found and what was expected."""
    for name in params.suites:
        _check_lender(params, name)
        _check_encoder_seeds(params, name)
    for name, suite in params.suites.items():
        for experiment in suite.experiments:
            _check_experiment(params, name, experiment)
        _check_borrowed(params, name)
    params.suite_named(params.suite)


def check_plugins(params: Params, suite: str) -> None:
    """Check the settings of every data set, recipe, encoder, method and task that a suite uses. Imports torch.

    Raises: UserError naming the key, what was found and what was expected.
    """
    for experiment in params.suite_named(suite).experiments:
        dataset = load_dataset(experiment.dataset)
        validated(
            dataset.Config, params.dataset(experiment.dataset), f"datasets.{experiment.dataset}"
        )
        known(experiment.split, dataset.spec.splits, f"split of {experiment.dataset}")
        for name in experiment.methods:
            section = params.method(suite, name)
            module = load_plugin("methods", section.method)
            validated(module.Config, section.settings, f"methods.{name}.settings")
            if section.labels is not None and not module.Method.wants.labels:
                raise UserError(
                    f"methods.{name}: labels is {section.labels}, but {section.method} sees no labels; remove 'labels'"
                )
            encoder, recipe = section.encoder, section.recipe
            for plugin, settings in (
                (load_plugin("backbones", encoder.name), encoder),
                (load_recipe(recipe.name), recipe),
            ):
                where = f"methods.{name}.{settings.name}"
                validated(plugin.Config, settings.settings, where)
        for name in experiment.tasks:
            task = params.task(suite, name)
            validated(load_plugin("tasks", task.kind).TASK.settings, task.settings, f"tasks.{name}")
            if task.source:
                source, _, split = task.source.partition("/")
                spec = load_dataset(source).spec
                known(split, spec.splits, f"split in the source of tasks.{name}")
                _check_transfer(name, spec, split, dataset.spec, experiment.split)


def _check_experiment(params: Params, suite: str, experiment: Experiment) -> None:
    known(experiment.dataset, plugin_names("data.datasets"), "dataset")
    for name in experiment.methods:
        section = params.method(suite, name)
        known(section.method, plugin_names("methods"), f"method of methods.{name}")
        known(section.encoder.name, plugin_names("backbones"), f"encoder of methods.{name}")
        known(section.recipe.name, plugin_names("data.recipes"), f"recipe of methods.{name}")
    for name in experiment.tasks:
        task = params.task(suite, name)
        known(task.kind, plugin_names("tasks"), f"kind of tasks.{name}")
        for method in task.protocol_of:
            known(
                method,
                params.methods | params.suites[suite].methods,
                f"method in protocol_of of tasks.{name}",
            )
        if experiment.fuse and name in experiment.fuse.tasks and not params.classifies(suite, name):
            raise UserError(
                f"suites.{suite}: fuse names the task {name!r}, which gives no class scores; take it out of 'fuse'"
            )
        if task.source:
            dataset, slash, split = task.source.partition("/")
            if not slash or not split:
                raise UserError(
                    f"tasks.{name}: source {task.source!r}; expected dataset/split, e.g. nwucla/xview"
                )
            known(dataset, plugin_names("data.datasets"), f"data set in the source of tasks.{name}")


def _check_lender(params: Params, suite: str) -> None:
    lender = params.suites[suite].encoders
    if (
        lender
        and params.suites[
            known(lender, params.suites, f"suite in suites.{suite}.encoders")
        ].encoders
    ):
        raise UserError(
            f"suites.{suite}: encoders of {lender}, which uses those of another suite itself; name the one that trains them"
        )


def _check_encoder_seeds(params: Params, suite: str) -> None:
    """A method that is trained with some of the labels has an encoder of every draw."""
    used = {
        method for experiment in params.suites[suite].experiments for method in experiment.methods
    }
    for method in params.suites[suite].encoder_seeds:
        known(method, used, f"method in suites.{suite}.encoder_seeds")
        if params.method(suite, method).labels is not None:
            raise UserError(
                f"suites.{suite}: encoder_seeds names {method}, which learns from the labels of a draw; take it out there"
            )


def _check_borrowed(params: Params, suite: str) -> None:
    """What a suite borrows must be what it would train itself."""
    lender = params.suites[suite].encoders
    for method in dict.fromkeys(run.method for run in params.runs(suite) if run.suite != suite):
        if params.method(suite, method) != params.method(lender, method):
            raise UserError(
                f"suites.{suite}: methods.{method} has other settings than in {lender}, whose encoders are used; make them equal"
            )


def _check_transfer(task: str, source: Any, split: str, target: Any, tested: str) -> None:
    """An encoder must not have been trained on the clips it is tested on, under whatever name of a data set."""
    clip = (
        None
        if (source.name, split) == (target.name, tested)
        else source.leak(split, target, tested)
    )
    if clip:
        spared = [s for s in source.splits if not source.leak(s, target, tested)]
        raise UserError(
            f"tasks.{task}: {source.name}/{split} trains on clips that {target.name}/{tested} tests on, e.g. set-up {clip.setup}, "
            f"performer {clip.subject}, camera {clip.camera}; sources that do not: {', '.join(spared) or 'none'}"
        )
