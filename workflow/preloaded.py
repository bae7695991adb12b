"""Jobs without the seconds that importing torch takes: forked off a process that has imported it.

    python workflow/preloaded.py serve SOCKET PID
        is started by the Snakefile, and ends with the Snakemake whose process id is PID
    python -IS workflow/preloaded.py run SOCKET -m pstl WORDS...
        does what `python -m pstl WORDS...` does: in its folder, with its environment and streams,
        and it ends with its exit code

Only libraries are imported beforehand. The package is not: a job imports it itself, in a fifth of
a second, and so runs the code as it is when the job starts. Whatever is in the way of a fork
(nobody serves, other threads are asked for) costs seconds and nothing else: the words then run in
a fresh process. Signals to a client reach its job, and no job outlives its client.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

# torch._dynamo is torch's compiler, which every optimiser imports at its first step.
LIBRARIES = (
    "numpy",
    "yaml",
    "pydantic.type_adapter",
    "typer",
    "filelock",
    "safetensors",
    "torch._dynamo",
)
# Python and libraries read variables with these beginnings when they start, and not again.
READ_AT_START = ("PYTHON", "OMP_", "MKL_", "OPENBLAS_", "GOTO_", "VECLIB_", "NUMEXPR_")
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LONGEST = 1 << 20  # bytes of a request
MOMENT_S = 5.0  # in which a client must have said what it wants
exit_code = 0  # of this process, where it is forked


class Job(NamedTuple):
    """What a client wants done: `python WORDS`, and where."""

    words: list[str]
    folder: str
    environment: dict[str, str]


def main() -> None:
    """Run or serve, see above."""
    mode, place, *words = sys.argv[1:]
    if mode == "run":
        run(place, words)
    elif job := serve(Path(place), int(words[0])):
        work(job)


def run(place: str, words: list[str]) -> None:
    """Have the words run by the server, or else by a fresh Python in this process's place.

    Does not return.
    """
    code = run_by_server(place, words)
    if code is None:
        os.execv(sys.executable, [sys.executable, *words])
    sys.exit(code)


def run_by_server(place: str, words: list[str]) -> int | None:
    """Exit code of a forked job; None if none was forked, or nobody knows how it ended."""
    heeded = [number for number in FORWARDED if signal.getsignal(number) != signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, signal.SIG_DFL)  # until there is a job to hand it on to
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        try:
            server.connect(place)
            request = json.dumps(Job(words, os.getcwd(), dict(os.environ)))
            socket.send_fds(server, [request.encode()], [0, 1, 2])
            _, processes, _, _ = socket.recv_fds(server, 1, 1)
        except OSError:
            return None
        if not processes:
            return None
        process = processes[0]

        def hand_on(number: int, _frame: object) -> None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, number)

        # Written to as a signal comes: one just before the wait would not interrupt it.
        told, signals = socket.socketpair()
        signals.setblocking(False)
        signal.set_wakeup_fd(signals.fileno(), warn_on_full_buffer=False)
        for number in heeded:
            signal.signal(number, hand_on)
        while server not in select.select([server, told], [], [])[0]:
            told.recv(16)
        with suppress(OSError):
            if code := server.recv(16):
                return int(code)
        hand_on(signal.SIGKILL, None)  # whoever waited for its end was killed: run it again
        select.select([process], [], [])
        return None


def serve(place: Path, snakemake: int) -> Job | None:
    """Fork whoever does what clients ask for, until Snakemake is gone.

    place: of the socket.   snakemake: process id.
    Returns: in each forked job what it is to do; in the server None, at its end.
    """
    os.setsid()  # Ctrl-C in a terminal is for clients, which hand it on
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    gone = os.pidfd_open(snakemake)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        mask = os.umask(0o077)  # nobody else may have something run here
        listener.bind(str(place))
        os.umask(mask)
        listener.listen(128)
        atexit.register(leave)  # the first to come is the last to go: what libraries do is done
        for library in LIBRARIES:
            importlib.import_module(library)
        gc.collect()
        gc.freeze()  # a job need not look through what is there now
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait for jobs
        is_alone = len(os.listdir("/proc/self/task")) == 1  # other threads are lost in a fork
        while is_alone and gone not in select.select([listener, gone], [], [])[0]:
            client, _ = listener.accept()
            if not os.fork():
                return mind(client)
            client.close()
    place.unlink(missing_ok=True)
    return None


def mind(client: socket.socket) -> Job | None:
    """Fork a client's job, wait for its end and tell the client, in a process of its own.

    Returns: the job, in the forked process only; the other one ends here.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    client.settimeout(MOMENT_S)
    with suppress(OSError, ValueError):  # the client went away
        message, streams, _, _ = socket.recv_fds(client, LONGEST, 3)
        job = Job(*json.loads(message))
        if read_at_start(job.environment) == read_at_start(os.environ):
            if not (process := os.fork()):
                for number, stream in enumerate(streams):
                    os.dup2(stream, number)
                return job
            watched = os.pidfd_open(process)
            socket.send_fds(client, [b"\0"], [watched])
            if watched not in select.select([client, watched], [], [])[0]:
                os.kill(process, signal.SIGKILL)  # as its client was
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            client.send(str(code if code >= 0 else 128 - code).encode())
    os._exit(0)


def read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a fork comes too late for."""
    return {name: environment[name] for name in environment if name.startswith(READ_AT_START)}


def work(job: Job) -> None:
    """Do what `python -m MODULE WORDS...` does, in this process."""
    os.closerange(3, 1 + max(map(int, os.listdir("/proc/self/fd"))))  # the server's
    os.chdir(job.folder)
    os.environ.clear()
    os.environ.update(job.environment)
    tempfile.tempdir = None  # is asked for anew
    _, module, *words = job.words
    sys.argv = [module, *words]
    if not sys.flags.safe_path:
        sys.path[0] = job.folder
    importlib.invalidate_caches()
    global exit_code
    cuda = sys.modules["torch"].cuda
    if cuda._is_in_bad_fork():  # a library has asked for GPUs when it was imported
        os.execv(sys.executable, [sys.executable, *job.words])
    try:
        exit_code = 1  # of what nobody catches
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        exit_code = 0
    except SystemExit as stop:
        exit_code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        raise
    except KeyboardInterrupt:
        exit_code = 128 + signal.SIGINT
        raise


def leave() -> None:
    """End this process without taking torch apart, which takes longer than many a job."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


if __name__ == "__main__":
    main()
