"""No test may hold the suite: whatever it waits in, it is ended, and the stacks say where."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HANGS = {
    "a thread that never ends": "threading.Event().wait()",
    "a child process": "subprocess.run(['sleep', '1000'])",
    "C code that holds the interpreter": "ctypes.PyDLL(None).sleep(1000)",
}


@pytest.mark.parametrize("hang", HANGS)
def test_a_test_that_hangs_is_ended_with_every_stack(root: Path, tmp_path: Path, hang: str) -> None:
    """One that was not held every check for ever, and nobody could see what it waited for."""
    content = f"import ctypes, subprocess, threading\n\ndef test_hangs():\n    {HANGS[hang]}\n"
    (tmp_path / "test_hangs.py").write_text(content)
    options = ["-o", "timeout=2", "-p", "no:cacheprovider", "-p", "conftest", "--rootdir", tmp_path]
    command = [sys.executable, "-m", "pytest", "-c", root / "pyproject.toml", *options, tmp_path]
    env = os.environ | {"PYTHONPATH": f"{root / 'tests'}{os.pathsep}{root}"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "Timeout" in said
    assert "test_hangs.py" in said
    assert "line 4 in test_hangs" in said or HANGS[hang] in said


def test_every_test_has_a_limit(request: pytest.FixtureRequest) -> None:
    """Without the plug-in the setting is a line that nobody reads."""
    assert request.config.pluginmanager.hasplugin("timeout")
    assert float(request.config.getini("timeout")) <= 600
    assert request.config.getini("timeout_method") == "thread"
