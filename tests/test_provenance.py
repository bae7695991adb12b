"""The names a number carries: commit, versions, machine."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pstl import provenance
from pstl.provenance import git_hash, machine, versions


def test_git_hash_tells_commit_and_edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number is traceable only if its commit is named, and honest only if edits on top of it are
    admitted.
    """
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    assert re.fullmatch(r"\d+\.\d+\.\d+\+installed\.[0-9a-f]{12}", git_hash())
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "provenance.py").write_text("1")
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    clean = git_hash()
    commit = subprocess.run(
        [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout
    assert len(clean) == 12
    assert commit.startswith(clean)
    (tmp_path / "untracked").write_text("")
    assert git_hash() == clean
    (tmp_path / "provenance.py").write_text("2")
    assert git_hash() == f"{clean}-dirty"


def test_versions_are_read_without_importing() -> None:
    """The rules ask for them too, and must not wait for torch."""
    assert set(versions()) == {"python", "torch", "numpy"}
    code = "import sys, pstl.provenance as p; p.versions(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_machine_is_described_and_not_named() -> None:
    """Times mean nothing without the processor, and a host's name is nobody's business."""
    assert re.fullmatch(r".*\S, [1-9]\d* cores", machine())
    assert not platform.node() or platform.node() not in machine()
