"""No test may hold the suite: whatever it waits in, it is ended, and the stacks say where."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WAITS = {
    "a thread that never ends": "threading.Event().wait()",
    "a child process": "subprocess.run(['sleep', '1000'])",
    "workers": "list(pool.each(time.sleep, [1000] * 4, 2))",
}
# A lock of C taken twice: it is not given up for a signal, and Python's own lock is held meanwhile.
STUCK = "lock = ctypes.PyDLL(None).pthread_mutex_lock; held = bytes(64); lock(held), lock(held)"
HEAD = "import ctypes, subprocess, threading, time\nfrom concurrent import futures\n"
HEAD += "from pstl.data import pool\n\ndef test_after():\n    pass\n\n"


def hanging(
    root: Path, folder: Path, line: str, limit: int, *options: str
) -> "subprocess.CompletedProcess[str]":
    """A suite of two tests, one of which hangs, limited as this one is but to `limit` seconds."""
    (folder / "test_hangs.py").write_text(f"{HEAD}def test_hangs():\n    {line}\n")
    settings = ["-c", root / "pyproject.toml", "-o", f"timeout={limit}", "--rootdir", folder]
    plugins = ["-p", "no:cacheprovider", "-p", "conftest"]
    command = [sys.executable, "-m", "pytest", *settings, *plugins, *options, folder]
    env = os.environ | {"PYTHONPATH": f"{root / 'tests'}{os.pathsep}{root}"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


@pytest.mark.parametrize("wait", WAITS)
def test_a_test_that_waits_for_ever_fails_and_the_others_go_on(
    root: Path, tmp_path: Path, wait: str
) -> None:
    """One that hung held every check for ever, and nobody could see what it waited for."""
    limit = 15 if wait == "workers" else 4  # they begin, and are ended, as processes
    done = hanging(root, tmp_path, WAITS[wait], limit, "-p", "no:xdist")
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert f"Timeout (>{limit}.0s)" in done.stdout
    assert f">       {WAITS[wait]}".replace("'", '"') in done.stdout.replace("'", '"')


@pytest.mark.parametrize("options", [("-p", "no:xdist"), ("-n", "1", "--max-worker-restart", "0")])
def test_a_test_stuck_in_c_code_is_ended_with_its_stack(
    root: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """No signal ends such a test: the process must, and say where it stood."""
    done = hanging(root, tmp_path, STUCK, 1, *options)
    assert done.returncode not in (0, None)
    assert "line 9 in test_hangs" in done.stderr


def test_a_thread_that_nobody_ends_does_not_keep_the_suite(root: Path, tmp_path: Path) -> None:
    """All tests had passed, and the process waited for a worker that waited for nobody."""
    line = "futures.ThreadPoolExecutor(1).submit(threading.Event().wait)"
    done = hanging(root, tmp_path, line, 3, "-p", "no:xdist")
    assert "2 passed" in done.stdout
    assert done.returncode == 1
    assert "_python_exit" in done.stderr


def test_every_test_has_a_limit(request: pytest.FixtureRequest) -> None:
    """Without the plug-in the setting is a line that nobody reads."""
    assert request.config.pluginmanager.hasplugin("timeout")
    assert float(request.config.getini("timeout")) <= 600
