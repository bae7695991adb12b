"""Whether every plug-in keeps its contract (pstl/contracts.py). Imports them all, and so torch."""

from difflib import get_close_matches
from inspect import getattr_static, signature
from types import ModuleType
from typing import Any, get_args

from pstl.config import Frozen, Stream
from pstl.contracts import Importer, Method, Task, Trainable
from pstl.data.plugin_checks import check_data_plugins
from pstl.errors import UserError
from pstl.metrics.metric import Metric, Metrics
from pstl.modules import BaseEncoder, BaseMethod
from pstl.records import FLOORS, READS, Wants
from pstl.registry import TaskTraits, has_plain_view, keywords, load, names, task_traits


def check_contracts() -> None:
    """Raises: UserError naming the first plug-in that breaks its contract, and how."""
    check_data_plugins()
    for name in names("backbones"):
        check_encoder(name, load("backbones", name))
    for name in names("methods"):
        check_method(name, load("methods", name))
    for name in names("importers"):
        check_importer(name, load("importers", name))
    check_tasks()


def check_encoder(name: str, module: ModuleType) -> None:
    """Raises: UserError naming the encoder and how it breaks the contract."""
    where = f"pstl/backbones/{name}.py"
    _exported(where, module, "Config", Frozen)
    encoder = _exported(where, module, "Encoder", BaseEncoder)
    _overrides(where, encoder, BaseEncoder, ("forward",))
    _called_with(where, encoder, "x, drop")
    _built_from(where, encoder, "cfg, skeleton, people, frames")


def check_method(name: str, module: ModuleType) -> None:
    """Raises: UserError naming the method and how it breaks the contract."""
    where = f"pstl/methods/{name}.py"
    _exported(where, module, "Config", Frozen)
    method = _exported(where, module, "Method", BaseMethod)
    _built_from(where, method, "cfg, encoder, problem")
    wants = vars(method).get("wants", Wants())
    if not isinstance(wants, Wants):
        raise UserError(f"{where}: wants is {wants!r}, expected Wants(...)")
    try:
        read = Wants(**keywords("methods", name, "Method", "wants"))
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: wants holds more than literals of Wants ({error})") from None
    if read != method.wants:
        raise UserError(
            f"{where}: wants is {method.wants}, but its source reads {read}; "
            "write it with literals in the class Method"
        )
    streams = get_args(Stream)
    if wants.only_stream and wants.only_stream not in streams:
        raise UserError(
            f"{where}: only_stream is {wants.only_stream!r}; known: {', '.join(streams)}"
        )
    if wants.only_stream and not wants.only_stream_reason:
        raise UserError(f"{where}: only_stream without only_stream_reason; say why")
    _misspelled(where, method, (Method, Trainable))
    _called_with(where, method, "batch, rng")
    _check_plain_view(where, name, method)


def _check_plain_view(where: str, name: str, method: Any) -> None:
    """Raises: UserError for a method that says it has a plain view and changes it."""
    if method.plain_view != has_plain_view(name):
        raise UserError(f"{where}: write plain_view as a literal in the class Method")
    if method.plain_view and method.wants.streams_together:
        raise UserError(f"{where}: a plain_view is of one stream; drop it or streams_together")
    for view in ("frames", "clean", "as_stream", "clean_stream") if method.plain_view else ():
        if getattr_static(method, view) is not getattr_static(BaseMethod, view):
            raise UserError(f"{where}: has a plain_view and a {view}() of its own; drop one")


def check_importer(name: str, module: ModuleType) -> None:
    """Raises: UserError naming the importer and how it breaks the contract."""
    where = f"pstl/importers/{name}.py"
    importer = vars(module).get("IMPORTER")
    if not isinstance(importer, Importer):
        raise UserError(
            f"{where}: IMPORTER is {importer!r}, expected an object of a class of Importer"
        )
    if not vars(type(importer)).get("anchor"):
        raise UserError(f"{where}: no anchor; name a weight that every such encoder has")
    _overrides(where, type(importer), Importer, ("read", "official_name"))
    if name not in names("methods"):
        raise UserError(f"{where}: imports for {name!r}, which is no method; name it after one")


def _exported(where: str, module: ModuleType, name: str, base: type) -> Any:
    """The class that a plug-in must export. Raises: UserError if it does not."""
    exported = vars(module).get(name)
    if not isinstance(exported, type) or not issubclass(exported, base):
        is_what = "there is none" if exported is None else f"it is {exported!r}"
        raise UserError(f"{where}: {name}: expected a class of {base.__name__}, {is_what}")
    return exported


def _built_from(where: str, cls: type, arguments: str) -> None:
    """Raises: UserError if a class cannot be built as Class(arguments)."""
    try:
        signature(cls).bind(*arguments.split(", "))
    except TypeError as error:
        raise UserError(f"{where}: built as {cls.__name__}({arguments}), but {error}") from None


def _called_with(where: str, cls: Any, arguments: str) -> None:
    """Raises: UserError if the class's forward cannot be called as forward(arguments)."""
    try:
        signature(cls.forward).bind("self", *arguments.split(", "))
    except TypeError as error:
        raise UserError(f"{where}: called as forward({arguments}), but {error}") from None


def _misspelled(where: str, cls: type, contracts: tuple[type, ...]) -> None:
    """Raises: UserError for a method of the class that is almost called like one of a contract."""
    promised = [name for contract in contracts for name in vars(contract) if name[0] != "_"]
    for name, value in vars(cls).items():
        likely = get_close_matches(name, promised, n=1, cutoff=0.85)
        if callable(value) and name not in promised and likely:
            raise UserError(f"{where}: {name}() is no method of it; did you mean {likely[0]}?")


def _overrides(where: str, cls: type, base: type, methods: tuple[str, ...]) -> None:
    """Raises: UserError if one of these is still the base's, which does nothing."""
    for name in methods:
        if getattr(cls, name) is getattr(base, name):
            raise UserError(f"{where}: {cls.__name__} has no {name}(); see {base.__name__}")


def check_tasks() -> None:
    """Raises: UserError naming the first task that breaks the contract, and how."""
    for kind in names("tasks"):
        check_task(kind, vars(load("tasks", kind)).get("TASK"))
    try:
        Metrics({kind: load("tasks", kind).TASK.metrics for kind in names("tasks")})
    except ValueError as error:
        raise UserError(str(error)) from None


def check_task(kind: str, task: Any) -> None:
    """Raises: UserError naming the task and how it breaks the contract."""
    where = f"pstl/tasks/{kind}.py"
    if not isinstance(task, Task):
        raise UserError(f"{where}: TASK is {task!r}, expected an object of a class of Task")
    if not issubclass(task.settings, Frozen):
        raise UserError(f"{where}: settings is {task.settings!r}, expected a class of Frozen")
    if task.needs not in READS:
        raise UserError(f"{where}: needs {task.needs!r}; known: {', '.join(READS)}")
    for probe in task.probes:
        if probe not in names("tasks"):
            raise UserError(f"{where}: probes name {probe!r}; known: {', '.join(names('tasks'))}")
    if not all(isinstance(metric, Metric) for metric in task.metrics):
        raise UserError(f"{where}: metrics hold something that is no Metric")
    if not any(metric.title for metric in task.metrics):
        raise UserError(
            f"{where}: none of its metrics has a title; give one to the metric it is judged by"
        )
    if unknown := set(task.floors) - set(FLOORS):
        raise UserError(f"{where}: floors name {unknown.pop()!r}; known: {', '.join(FLOORS)}")
    real = TaskTraits(task.needs, task.classifies, task.probes, task.one_protocol, task.floors)
    for name, read, value in zip(TaskTraits._fields, task_traits(kind), real, strict=True):
        if read != value:
            raise UserError(
                f"{where}: {name} is {value!r}, but its source reads {read!r}; "
                "write it as a literal in the task's own class"
            )
