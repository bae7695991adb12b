"""A plug-in that breaks its contract is named before the first job, in one line that says how."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from torch import nn

from pstl.check import (
    check_contracts,
    check_encoder,
    check_importer,
    check_method,
    check_task,
)
from pstl.config import Frozen
from pstl.contracts import Importer, Task
from pstl.errors import UserError, import_plugin, syntax_tree
from pstl.metrics.classification import TOP1, TOP5
from pstl.modules import BaseEncoder, BaseMethod
from pstl.records import Result, Wants
from pstl.registry import load, names


def module_of(**exported: Any) -> ModuleType:
    """A module that exports these."""
    module = ModuleType("plugin")
    vars(module).update(exported)
    return module


class Config(Frozen):
    """Nothing to set."""


class NoForward(BaseEncoder):
    """An encoder that encodes nothing."""

    def __init__(self, cfg: Any, skeleton: Any, people: int, frames: int) -> None:
        super().__init__()


class OtherArguments(BaseEncoder):
    """An encoder that nobody can build."""

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, x: Any, drop: Any = None) -> Any:
        """Gives back what it is given."""
        return x


class OtherForward(BaseEncoder):
    """An encoder that cannot be told which joints it may look at."""

    def __init__(self, cfg: Any, skeleton: Any, people: int, frames: int) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        """Gives back what it is given."""
        return x


class Misspelled(BaseMethod):
    """A method whose loss nobody asks for."""

    def forwrd(self, batch: Any, rng: Any) -> Any:
        """Never called."""


class WantsMore(BaseMethod):
    """Its wants stand in no source that the rules read."""

    wants = Wants(labels=True)


class WantsNothingOfUs(BaseMethod):
    """Its wants are none."""

    wants = {"labels": True}  # type: ignore[assignment]


class NoAnchor(Importer):
    """Nothing to find an encoder by."""


class ReadsNothing(Importer):
    """An importer that imports nothing."""

    anchor = "conv1.weight"


def test_the_plug_ins_of_the_package_keep_their_contracts() -> None:
    """What `pstl check` asks of others it must not refuse to the package itself."""
    check_contracts()
    assert len(names("methods")) >= 8
    assert len(names("backbones")) >= 5


@pytest.mark.parametrize(
    ("exported", "reason"),
    [
        ({"Encoder": NoForward}, "Config: expected a class of Frozen, there is none"),
        ({"Config": Config, "Encoder": nn.Linear}, "Encoder: expected a class of BaseEncoder"),
        ({"Config": Config, "Encoder": NoForward}, r"NoForward has no forward\(\)"),
        (
            {"Config": Config, "Encoder": OtherForward},
            r"called as forward\(x, drop\), but too many positional arguments",
        ),
        (
            {"Config": Config, "Encoder": OtherArguments},
            r"built as OtherArguments\(cfg, skeleton, people, frames\), but too many",
        ),
    ],
)
def test_an_encoder_that_is_none_is_named(exported: dict[str, Any], reason: str) -> None:
    """Otherwise it fails hours later, inside a job, with a stack of somebody else's code."""
    with pytest.raises(UserError, match=rf"^pstl/backbones/mine\.py: {reason}"):
        check_encoder("mine", module_of(**exported))


@pytest.mark.parametrize(
    ("exported", "reason"),
    [
        ({"Config": Config}, "Method: expected a class of BaseMethod, there is none"),
        (
            {"Config": Config, "Method": WantsMore},
            r"wants is Wants\(labels=True.*but its source reads Wants\(labels=False",
        ),
        ({"Config": Config, "Method": WantsNothingOfUs}, r"wants is \{'labels': True\}"),
    ],
)
def test_a_method_that_is_none_is_named(exported: dict[str, Any], reason: str) -> None:
    """What the rules read of a method must be what the training loop sees of it."""
    with pytest.raises(UserError, match=rf"^pstl/methods/random_init\.py: {reason}"):
        check_method("random_init", module_of(**exported))


@pytest.mark.parametrize(
    ("importer", "reason"),
    [
        (None, "IMPORTER is None"),
        (NoAnchor(), "no anchor"),
        (ReadsNothing(), r"ReadsNothing has no read\(\)"),
    ],
)
def test_an_importer_that_is_none_is_named(importer: Importer | None, reason: str) -> None:
    """Weights that cannot be found must not look like a checkpoint of another method."""
    with pytest.raises(UserError, match=rf"^pstl/importers/pstl\.py: {reason}"):
        check_importer("pstl", module_of(IMPORTER=importer))


@pytest.mark.parametrize("name", names("importers"))
def test_an_importer_is_named_after_a_method(name: str) -> None:
    """`import-weights --from NAME` is how a method is named elsewhere."""
    check_importer(name, load("importers", name))
    assert name in names("methods")


class Nothing(Task[Any, Config]):
    """A task that measures nothing, with what a task must have."""

    settings = Config
    metrics = (TOP1,)

    def run(self, inputs: Any, cfg: Config, seed: int, device: Any) -> Result:
        """No number."""
        return Result({})


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"needs": "videos"}, "needs 'videos'; known: features, clips,"),
        ({"settings": dict}, "settings is .*expected a class of Frozen"),
        ({"metrics": (TOP5,)}, "none of its metrics has a title"),
        ({"metrics": ("top1",)}, "something that is no Metric"),
        ({"probes": ("psychic",)}, "probes name 'psychic'; known:"),
        ({"classifies": True}, "classifies is True, but its source reads False"),
    ],
)
def test_a_task_that_breaks_its_contract_is_named(attributes: dict[str, Any], message: str) -> None:
    """Rules and tables read what a task says: a wrong word there is a wrong job or column."""
    broken = type("Broken", (Nothing,), attributes)()
    with pytest.raises(UserError, match=rf"^pstl/tasks/retrieval\.py: .*{message}"):
        check_task("retrieval", broken)


def test_a_task_module_must_export_a_task() -> None:
    """A file without TASK would only be found out by the job that runs it."""
    with pytest.raises(UserError, match=r"tasks/knn\.py: TASK is None, expected an object"):
        check_task("knn", None)


def test_a_misspelled_loss_is_named() -> None:
    """It would be found out by the first training, after data and arrays; or not at all."""
    with pytest.raises(UserError, match=r"raw\.py: forwrd\(\) is no method .*mean forward"):
        check_method("raw", module_of(Config=Config, Method=Misspelled))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n1 / 0\n", r"plugged\.py, line 2: cannot be imported: ZeroDivisionError: division"),
        ("def (:\n", r"plugged\.py, line 1: cannot be imported: SyntaxError: invalid syntax"),
        ("from pstl.nowhere import x\n", r"line 1: cannot be imported: ModuleNotFoundError"),
        ("from pstl.errors import nothing\n", r"line 1: cannot be imported: ImportError"),
    ],
)
def test_a_file_that_cannot_be_imported_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    """Who adds a plug-in meets its first mistake here, in a check and in the first job alike."""
    (tmp_path / "plugged.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match=message):
        import_plugin("plugged")


def test_a_package_that_is_not_installed_is_no_mistake_of_a_plug_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line says what to install."""
    (tmp_path / "plugged.py").write_text("import not_installed\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError):
        import_plugin("plugged")


def test_a_file_that_is_read_and_not_run_may_be_broken_too(tmp_path: Path) -> None:
    """A dry run imports no plug-in: it reads what they say and hashes what they import."""
    (tmp_path / "plugged.py").write_text("x = 1\ndef (:\n")
    with pytest.raises(UserError, match=r"plugged\.py, line 2: no Python: invalid syntax"):
        syntax_tree(tmp_path / "plugged.py")
