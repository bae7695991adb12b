"""The hash that decides which jobs run again after an edit."""

from pathlib import Path

import pytest

from pstl import code_hash as hashing
from pstl.code_hash import closure, code_hash
from pstl.errors import UserError


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package in place of the real one: top -> middle -> bottom, and a bystander."""
    files = {
        "__init__.py": "",
        # only when called
        "top.py": "def verb():\n    from pstl.inner import middle\n    return middle\n",
        "inner/__init__.py": "",
        "inner/middle.py": "from .. import bottom\nimport torch\n",
        "bottom.py": "import pstl.shelf.item as item\n",
        "shelf/__init__.py": "",
        "shelf/item.py": "",
        "bystander.py": "from pstl import top\n",
    }
    for name, text in files.items():
        (tmp_path / "pstl" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pstl" / name).write_text(text)
    monkeypatch.setattr(hashing, "PACKAGE", tmp_path / "pstl")
    return tmp_path / "pstl"


def test_closure_follows_every_kind_of_import(package: Path) -> None:
    """A module missed here is code whose edits re-run nothing, and tables silently mix old and new
    numbers.
    """
    expected = {
        "pstl",
        "pstl.top",
        "pstl.inner",
        "pstl.inner.middle",
        "pstl.bottom",
        "pstl.shelf",
        "pstl.shelf.item",
    }
    assert closure("pstl.top") == expected


@pytest.mark.parametrize(
    "edited", ["top.py", "inner/__init__.py", "inner/middle.py", "bottom.py", "shelf/item.py"]
)
def test_an_edit_of_code_that_runs_changes_the_hash(package: Path, edited: str) -> None:
    """Otherwise a changed loss leaves the old encoder standing."""
    before = code_hash("pstl.top")
    (package / edited).write_text((package / edited).read_text() + "X = 1\n")
    assert code_hash("pstl.top") != before


def test_an_edit_elsewhere_changes_nothing(package: Path) -> None:
    """Otherwise every edit trains the world again, and people learn to switch the check off."""
    before = code_hash("pstl.top")
    (package / "bystander.py").write_text("Y = 2\n")
    (package / "new.py").write_text("")
    assert code_hash("pstl.top") == before


def test_the_hash_is_of_a_set(package: Path) -> None:
    """The order in which a rule names its modules is no property of the code."""
    assert code_hash("pstl.top", "pstl.bystander") == code_hash(
        "pstl.bystander", "pstl.top", "pstl.top"
    )
    assert code_hash("pstl.top") != code_hash("pstl.bottom")


def test_plugins_count_when_they_are_named() -> None:
    """Methods are chosen by name at run time, so the trainer's own imports must not already hold
    them all.
    """
    assert "pstl.methods.pstl" not in closure("pstl.train.pretrain")
    assert code_hash("pstl.train.pretrain") != code_hash("pstl.train.pretrain", "pstl.methods.pstl")


def test_unknown_module_is_named() -> None:
    """A misspelt module in a rule must stop the run and not hash to nothing."""
    with pytest.raises(UserError, match=r"no module 'pstl\.tasks\.nosuch'"):
        code_hash("pstl.tasks.nosuch")
