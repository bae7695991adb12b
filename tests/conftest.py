"""What several tests share."""

import faulthandler
import os
from collections.abc import Iterator
from pathlib import Path

import drilling
import pytest

# One thread, before torch is first imported: small tensors gain nothing from more, and sums are
# added in one order everywhere.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
HOURS = 4  # for a test of several tools
LEAVE_S = 60.0  # from the last test to the end of the process: a thread that waits would hold it
SCREEN = pytest.StashKey[int]()  # standard error as it was before anything captured it


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SCREEN] = os.dup(2)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End a process that threads keep from ending, with their stacks."""
    limit = min(LEAVE_S, float(config.getini("timeout")))
    faulthandler.dump_traceback_later(limit, file=config.stash[SCREEN], exit=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of several tools take up to hours; every other one has the limit of pyproject.toml."""
    for item in items:
        if item.get_closest_marker("integration") or item.get_closest_marker("drills"):
            item.add_marker(pytest.mark.timeout(HOURS * 3600))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the drills tried and survived, by kind."""
    reports = [each for group in terminalreporter.stats.values() for each in group]
    told = [
        value
        for report in reports
        for key, value in getattr(report, "user_properties", ())
        if key == drilling.KEY and report.when == "call"
    ]
    if told:
        terminalreporter.section("drills")
        for line in drilling.table(told):
            terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """End the process of a test that is a fifth past its limit, with the stacks of all threads.

    pytest-timeout's signal is seen between two lines of Python; this one works in C code too.
    """
    marker = item.get_closest_marker("timeout")
    limit = marker.args[0] if marker else float(item.config.getini("timeout"))
    faulthandler.dump_traceback_later(1.2 * limit, file=item.config.stash[SCREEN], exit=True)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="module", autouse=True)
def settings_of_this_module() -> Iterator[None]:
    """Data sets that one module's settings declare are none of another's."""
    before = os.environ.pop("PSTL_SETTINGS", None)
    yield
    os.environ.pop("PSTL_SETTINGS", None)
    if before is not None:
        os.environ["PSTL_SETTINGS"] = before


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Material that lies beside a checkout and is not part of it.

    Tests that need it skip where it is absent.
    """
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared beside this checkout")
    return folder


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every kind of file that the verbs read (small_world.py).

    Whoever changes something puts it back.
    """
    import small_world

    folder = tmp_path_factory.mktemp("small")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        small_world.prepared()
        small_world.trained()
        small_world.others()
    return folder


@pytest.fixture(scope="session")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny suite of test_pipeline.py has run to its tables.

    Read only; tests that change something take a copy.
    """
    from snakemake_calls import TINY, snakemake, write

    folder = tmp_path_factory.mktemp("tiny")
    write(folder, TINY)
    code, output = snakemake(root, folder)
    assert code == 0, output
    return folder


@pytest.fixture(scope="session")
def undisturbed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the built-in suite has run at its full size, with nothing in its way.

    Read only. Takes about ten minutes.
    """
    from builtin_suite import undisturbed

    return undisturbed(root, tmp_path_factory.mktemp("undisturbed"))
