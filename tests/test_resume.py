"""What a killed Snakemake leaves is cleared away only by who can know that it is gone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pstl import owner

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is locked, in which this process is."""
    monkeypatch.chdir(tmp_path)
    lock = tmp_path / ".snakemake" / "locks" / "0.input.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("results/x\n")
    return lock


def resume() -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(ROOT / "workflow" / "resume.py")]
    return subprocess.run(words, capture_output=True, text=True)


def leave(**other: object) -> owner.Owner:
    """The record of another Snakemake, as this machine would have written it but for `other`."""
    left = owner.current().model_copy(update=other)
    owner.FOLDER.mkdir(parents=True, exist_ok=True)
    left.record.write_text(left.model_dump_json())
    return left


def ended() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_lock_of_who_is_gone_is_removed(locked: Path) -> None:
    """Killed on this machine, or on it before it was switched off; nothing of them stays."""
    gone_of = [{"pid": ended()}, {"begun": "1"}]
    if owner.current().machine:
        gone_of.append({"boot": "another", "pid": os.getpid()})
    for gone in gone_of:
        locked.parent.mkdir(exist_ok=True)
        locked.touch()
        record = leave(**gone).record
        answer = resume()
        assert (answer.returncode, answer.stdout) == (0, ""), answer.stderr
        assert not locked.exists()
        assert not record.exists()


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"host": "login2"},
        {"processes": "pid:[1]"},
        {},
        {"boot": "another", "machine": "its clone's"},
        {"boot": "another", "machine": ""},
    ],
)
def test_the_lock_of_who_may_be_at_work_stays(locked: Path, elsewhere: dict[str, str]) -> None:
    """Another node of a cluster or another container may be training: its process ids say nothing
    here. Its host, and what to type if it is gone, stand in one line.
    """
    left = leave(**elsewhere)
    answer = resume()
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert f"snakemake {left.pid} on {left.host}" in answer.stderr
    assert f"rm '{left.record}'" in answer.stderr
    assert locked.exists()
    left.record.unlink()
    leave(pid=ended())
    assert resume().returncode == 0


@pytest.mark.parametrize(
    ("machine", "is_gone"), [("a 02:42", True), ("a 02:43", False), ("", False)]
)
def test_only_the_same_machine_can_have_been_switched_off(
    monkeypatch: pytest.MonkeyPatch, machine: str, is_gone: bool
) -> None:
    """Machines that were cloned may share their name, and a folder."""
    monkeypatch.setattr(owner, "_machine", lambda: machine)
    left = owner.current().model_copy(update={"machine": "a 02:42" if machine else ""})
    assert left.model_copy(update={"boot": "another"}).is_gone() == is_gone
    assert not left.is_gone()


def test_a_lock_that_nobody_claims_stays(locked: Path) -> None:
    """It may be of a version that left no record."""
    answer = resume()
    assert answer.returncode == 1
    assert "snakemake --unlock" in answer.stderr
    assert locked.exists()


def test_a_damaged_record_is_nobody(locked: Path) -> None:
    """Half of one is left by who was killed while writing it, before it had locked anything."""
    record = leave(pid=ended()).record
    record.with_name("half.json").write_text('{"host": ')
    assert resume().returncode == 0
    assert not list(owner.FOLDER.iterdir())


def test_a_process_takes_its_record_away(tmp_path: Path) -> None:
    """Whoever ends in peace, or by an error, leaves nothing to wonder about."""
    for end in ("", "raise SystemExit(3)", "1 / 0"):
        code = f"from pstl import owner; owner.announce(); print(*owner.recorded()); {end}"
        words = [sys.executable, "-c", code]
        answer = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
        assert answer.stdout.startswith("host="), answer.stderr
        assert not list((tmp_path / owner.FOLDER).iterdir())


def test_who_is_hidden_may_be_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where /proc shows a user's own processes only, another user's look as if they had ended."""
    left = owner.current().model_copy(update={"pid": os.getppid(), "begun": "1"})
    gone = owner.current().model_copy(update={"pid": ended()})
    assert left.is_gone()
    monkeypatch.setattr(owner, "_begun", lambda pid: "")
    assert not left.is_gone()
    assert gone.is_gone()
