"""Jobs that are forked off a process with torch in it: nobody may be able to tell them from fresh
ones, and whatever is in the way of a fork costs seconds only.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
from small_world import HOME, RUN, evaluate, features, fuse, home

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux")
VARIABLES = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
PLACE = ".fork"
SLEEPER = "import os, time\nopen('began-new', 'w').write(str(os.getpid()))\n"
SLEEPER += "os.replace('began-new', 'began')\ntime.sleep(600)\n"


def heed_interrupts() -> None:
    """As in a terminal: what a shell starts in its background ignores Ctrl-C, tests included."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Served:
    """A folder with a server in it, whose Snakemake is a process that does nothing."""

    def __init__(self, script: Path, folder: Path, stack: ExitStack) -> None:
        self.script, self.folder = script, folder
        self.snakemake = self._started(stack, "-c", "import time; time.sleep(1e6)")
        words = ("serve", PLACE, str(self.snakemake.pid))
        self.server = self._started(stack, str(script), *words)
        while not (folder / PLACE).exists():
            assert self.server.poll() is None, "the server ended at once"
            time.sleep(0.01)

    def _started(self, stack: ExitStack, *words: str) -> subprocess.Popen[bytes]:
        env = {**os.environ, **VARIABLES}
        process = subprocess.Popen(
            [sys.executable, *words], cwd=self.folder, env=env, stdin=subprocess.DEVNULL
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        return process

    def client(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        """A process that has `python WORDS` done by the server."""
        return subprocess.Popen(
            [sys.executable, "-IS", str(self.script), "run", PLACE, *words],
            cwd=self.folder,
            env={**os.environ, **VARIABLES, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_interrupts,
        )

    def run(self, *words: str, **variables: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of `python WORDS`."""
        client = self.client(*words, **variables)
        out, err = client.communicate()
        return client.returncode, out, err

    def module(self, name: str, text: str) -> None:
        """Write a module into the folder, beside which jobs look for modules first."""
        (self.folder / f"{name}.py").write_text(text)

    def sleeping(self) -> tuple[subprocess.Popen[str], int]:
        """A client whose job sleeps, and the job's process id."""
        (self.folder / "began").unlink(missing_ok=True)
        self.module("sleeper", SLEEPER)
        client = self.client("-m", "sleeper")
        return client, int(wait_for_text(self.folder / "began"))


def wait_for_text(path: Path) -> str:
    while not path.exists():
        time.sleep(0.01)
    return path.read_text()


def wait_for_end(process: int) -> None:
    """Of a process that is nobody's child here; the killed may wait for their parents a while."""
    line = Path(f"/proc/{process}/cmdline")
    while line.exists() and line.read_bytes():
        time.sleep(0.01)


@contextmanager
def serving(root: Path, folder: Path) -> Iterator[Served]:
    with ExitStack() as stack:
        yield Served(root / "workflow/preloaded.py", folder, stack)


@pytest.fixture(scope="module")
def served(root: Path, small: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served") / "small"
    shutil.copytree(small, folder)
    with serving(root, folder) as there:
        yield there


# What a process is told, and whether torch was there before it asked.
TELL = """if True:
    import json, os, sys
    print(json.dumps({
        "folder": os.getcwd(), "words": sys.argv[1:], "first": sys.path[0],
        "variable": os.environ.get("VARIABLE"), "input": sys.stdin.read(),
        "forked": "torch" in sys.modules,
    }))
"""


def told(served: Served, **variables: str) -> dict[str, object]:
    """What a job is told; it has no input."""
    served.module("tell", TELL)
    code, out, err = served.run("-m", "tell", "a b", "-c", **variables)
    assert (code, err) == (0, "")
    answer: dict[str, object] = json.loads(out)
    return answer


def test_a_job_has_the_words_folder_and_variables_of_its_client(served: Served) -> None:
    """A job that reads another folder's files, or other settings, computes something else."""
    folder = str(served.folder)
    expected = {"folder": folder, "words": ["a b", "-c"], "first": folder, "input": ""}
    assert told(served, VARIABLE="1") == expected | {"variable": "1", "forked": True}
    assert told(served) == expected | {"variable": None, "forked": True}


@pytest.mark.parametrize(
    "variables", [{"OMP_NUM_THREADS": "2"}, {"PYTHONPATH": "elsewhere"}, {"MKL_VERBOSE": "0"}]
)
def test_what_a_fork_cannot_change_makes_a_fresh_process(
    served: Served, variables: dict[str, str]
) -> None:
    """Threads are counted when torch is imported: another number would be ignored silently."""
    assert told(served, **variables)["forked"] is False


def test_results_have_the_bits_of_an_unforked_process(served: Served) -> None:
    """Rows must not depend on how a process came to be. `small` made the same ones without."""
    forked = served.folder / "forked/released"
    encoder = str(forked.parent / "encoder.pt")
    jobs = [
        ["pretrain", "--run", RUN, "--array", "array", "--out", encoder, "--device", "cpu"],
        features(encoder, str(forked / "features.npz")),
        evaluate("linear", str(forked), "--features", str(forked / "features.npz")),
        fuse(str(forked / "fused")),
    ]
    for words in jobs:
        code, _, err = served.run("-m", "pstl", *words)
        assert code == 0, err
    made, fused = served.folder / HOME, served.folder / home("fused")
    assert Path(encoder).read_bytes() == (made / "encoder.pt").read_bytes()
    same_files(forked / "features.npz", made / "released/features.npz")
    same_files(forked / "linear.scores.npz", made / "released/linear.scores.npz")
    same_files(forked / "fused.scores.npz", fused / "released/linear.scores.npz")
    assert rows(forked / "linear.json") == rows(made / "released/linear.json")
    assert rows(forked / "fused.json") == rows(fused / "released/linear.json")


def same_files(one: Path, other: Path) -> None:
    """Arrays bit for bit, and what stands beside them but for time and memory."""
    with np.load(one) as a, np.load(other) as b:
        assert a.files == b.files
        for name in a.files:
            if name == "meta":
                assert lasting(json.loads(str(a[name]))) == lasting(json.loads(str(b[name])))
            else:
                assert np.array_equal(a[name], b[name]), name


def rows(path: Path) -> list[dict[str, object]]:
    return [lasting(row) for row in json.loads(path.read_text())["rows"]]


def lasting(record: dict[str, object]) -> dict[str, object]:
    """Without what differs from one time to the next."""
    return {key: record[key] for key in record if key not in ("seconds", "peak_mb")}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("import sys; print('out'); sys.exit(3)", 3),
        ("import sys; sys.exit('one line')", 1),
        ("raise ValueError('trouble')", 1),
        ("import atexit; atexit.register(print, 'at the end')", 0),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", 128 + signal.SIGINT),
        ("from pstl.cli import main; main(['fuse', '--taks', 'knn'])", 2),
    ],
)
def test_a_job_ends_as_a_fresh_process_does(served: Served, text: str, code: int) -> None:
    """Snakemake knows a failure by its code, and people by its last line."""
    served.module("ending", text)
    fresh = subprocess.run(
        [sys.executable, "-m", "ending"],
        cwd=served.folder,
        env={**os.environ, **VARIABLES},
        capture_output=True,
        text=True,
        preexec_fn=heed_interrupts,
    )
    assert fresh.returncode in (code, 128 - code)
    found, out, err = served.run("-m", "ending")
    assert (found, out) == (code, fresh.stdout)
    assert err.splitlines()[-1:] == fresh.stderr.splitlines()[-1:]


def test_a_job_runs_the_code_as_it_is(served: Served) -> None:
    """A server that remembers a module would give rows of code that nobody has any more."""
    for text in ("one", "another"):
        served.module("edited", f"print({text!r})")
        served.module("importer", "import edited")
        assert served.run("-m", "importer") == (0, f"{text}\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_job(served: Served, number: signal.Signals) -> None:
    """Ctrl-C must end the training, and not only what waits for it."""
    client, job = served.sleeping()
    client.send_signal(number)
    client.communicate()
    assert client.returncode == 128 + number
    wait_for_end(job)


def test_a_killed_client_takes_its_job_along(served: Served) -> None:
    """Otherwise the next attempt would write into the files of the last one."""
    client, job = served.sleeping()
    client.kill()
    client.communicate()
    wait_for_end(job)


def test_a_job_whose_keeper_was_killed_runs_again(served: Served) -> None:
    """A machine short of memory kills whom it likes; the code of a job must never be guessed."""
    client, job = served.sleeping()
    began = served.folder / "began"
    status = Path(f"/proc/{job}/status").read_text()
    began.unlink()
    os.kill(int(status.partition("PPid:")[2].split()[0]), signal.SIGKILL)
    assert int(wait_for_text(began)) == client.pid, "the second one has taken the client's place"
    wait_for_end(job)
    client.kill()
    client.communicate()


def test_memory_and_locks_of_one_job_are_not_those_of_the_next(served: Served) -> None:
    """Peaks are recorded beside every number, and a lock that stays would stop all trainings."""
    text = """if True:
        import resource, sys
        from pstl.locks import acquire
        held = bytes(int(sys.argv[1]) << 20)
        assert acquire("some.lock", timeout=0)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
    """
    served.module("memory", text)
    first, *_, last = (int(served.run("-m", "memory", size)[1]) for size in ("1", "500", "1"))
    assert last < first + 50


def test_jobs_go_on_without_their_server(root: Path, tmp_path: Path) -> None:
    """It may be killed as anything may: its jobs end well all the same, and the next is fresh."""
    with serving(root, tmp_path) as here:
        here.module("slow", "import sys; open('began', 'w').close(); print(sys.stdin.read())")
        reading, writing = os.pipe()
        words = [sys.executable, "-IS", str(here.script), "run", PLACE, "-m", "slow"]
        environment = {**os.environ, **VARIABLES}
        client = subprocess.Popen(
            words, cwd=tmp_path, env=environment, stdin=reading, stdout=subprocess.PIPE, text=True
        )
        wait_for_text(tmp_path / "began")
        here.server.kill()
        here.server.wait()
        os.write(writing, b"to the end")
        os.close(writing)
        os.close(reading)
        assert client.communicate()[0] == "to the end\n"
        assert client.returncode == 0
        assert told(here)["forked"] is False


def test_two_servers_and_their_ends(root: Path, tmp_path: Path) -> None:
    """Runs in two folders know nothing of each other; a server ends with its Snakemake."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with serving(root, tmp_path / "one") as one, serving(root, tmp_path / "two") as two:
        assert told(one)["folder"] == str(one.folder)
        one.snakemake.kill()
        assert one.server.wait() == 0
        assert not (one.folder / PLACE).exists()
        assert told(two)["forked"] is True
