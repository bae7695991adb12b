"""The lock files: what stands there is all that is installed, and nothing else is."""

import re
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pstl.errors import UserError
from supply import lock


@pytest.fixture(scope="module")
def locked(root: Path) -> dict[str, list[str]]:
    """Name -> pin and hashes, of both files."""
    texts = ((root / name).read_text() for name in (lock.LOCK, lock.CUDA_LOCK))
    return lock.split("".join(texts))


def test_what_the_project_asks_for_is_locked(root: Path, locked: dict[str, list[str]]) -> None:
    """Whoever adds a package and forgets `make lock` would give others a checkout that fails."""
    for requirement in chain(*lock.asked(root).values()):
        entry = locked.get(canonicalize_name(requirement.name))
        assert entry, f"{requirement.name} is not locked: make lock"
        assert lock.version(entry) in requirement.specifier, requirement


def test_every_entry_has_hashes_and_no_address(locked: dict[str, list[str]]) -> None:
    """pip compares hashes only if each line has one; an address would bind the file to a host."""
    for name, (pin, *hashes) in locked.items():
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; .*)?", pin), pin
        assert hashes, name
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes), name


def test_what_locked_packages_need_is_locked(locked: dict[str, list[str]]) -> None:
    """pip is told to look for nothing beyond the lock, so that what is missing stays missing."""
    for name in locked:
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # of another system
        for requirement in map(Requirement, needs):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                needed = canonicalize_name(requirement.name)
                assert needed in locked, f"{name} needs {needed}"
                assert lock.version(locked[needed]) in requirement.specifier, (
                    name,
                    str(requirement),
                )


def test_cuda_libraries_stand_apart(root: Path) -> None:
    """A machine without a GPU need not take gigabytes that torch's CPU build does not use."""
    common = lock.split((root / lock.LOCK).read_text())
    cuda = (root / lock.CUDA_LOCK).read_text()
    assert "torch" in common
    assert not [name for name in common if lock.OF_CUDA.match(f"{name}==")]
    assert f"-r {lock.LOCK}\n" in cuda
    assert "nvidia-cudnn-cu13" in lock.split(cuda)


def test_both_builds_of_torch_are_locked(root: Path, locked: dict[str, list[str]]) -> None:
    """With one build's hashes only, the lock would refuse every machine that has the other."""
    pin = locked["torch"][0]
    builds = lock.cpu_hashes((root / lock.CPU_LOCK).read_text(), pin)
    assert len(builds) == 6  # three Pythons, two processors
    assert set(builds) < set(locked["torch"])


def test_hashes_of_another_version_are_refused() -> None:
    """Whoever raises torch's version must not go on with the old files' hashes unaware."""
    cpu_lock = "torch==2.13.0+cpu \\\n    --hash=sha256:aa\n"
    assert lock.cpu_hashes(cpu_lock, "torch==2.13.0") == ["--hash=sha256:aa"]
    with pytest.raises(UserError, match=r"has torch==2\.13\.0\+cpu, and torch==2\.14\.0 is to be"):
        lock.cpu_hashes(cpu_lock, "torch==2.14.0")


def test_a_lock_is_read_as_it_is_written() -> None:
    """The next lock keeps the versions of the last one, so what was written must be found."""
    text = (
        "# a header with one==1.0\n"
        "one==1.0 ; sys_platform == 'linux' \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
        "two==2.0 \\\n    --hash=sha256:cc\n"
    )
    assert lock.split(text) == {
        "one": ["one==1.0 ; sys_platform == 'linux'", "--hash=sha256:aa", "--hash=sha256:bb"],
        "two": ["two==2.0", "--hash=sha256:cc"],
    }
