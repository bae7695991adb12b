"""What several tests share."""

import os
from pathlib import Path

import pytest

# One thread, before torch is first imported: small tensors gain nothing from more, and sums are added in one order everywhere.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Material that lies beside a checkout and is not part of it; tests that need it skip where it is absent."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared beside this checkout")
    return folder


@pytest.fixture(scope="session")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny suite of test_pipeline.py has run to its tables. Read only; tests that change something take a copy."""
    from test_pipeline import TINY, snakemake, write

    folder = tmp_path_factory.mktemp("tiny")
    write(folder, TINY)
    code, output = snakemake(root, folder)
    assert code == 0, output
    return folder


@pytest.fixture(scope="session")
def undisturbed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the built-in suite has run at its full size, with nothing in its way. Read only. Takes about ten minutes."""
    from builtin_suite import undisturbed

    return undisturbed(root, tmp_path_factory.mktemp("undisturbed"))
