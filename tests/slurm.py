"""Debian's SLURM on this machine's loopback, for as long as a test needs it: one controller, one
node, one pretended GPU.

Configuration, key, spool and logs lie in a temporary folder. Outside it there are, meanwhile, two
links in /etc/slurm, where jobs look for
the configuration; a machine that has one of its own is left alone. Needs root.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PLACE = Path("/etc/slurm")
PACKAGES = ("slurm-wlm", "munge")
CONFIGURATION = """\
ClusterName=pstl
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=64000 Gres=gpu:1 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def install() -> None:
    """Install Debian's packages if they are not there; skip the test where that cannot be."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a controller and a node")
    if shutil.which("slurmctld", path=f"{os.environ['PATH']}:/usr/sbin") and shutil.which(
        "munged", path=f"{os.environ['PATH']}:/usr/sbin"
    ):
        return
    if not shutil.which("apt-get"):
        pytest.skip("no SLURM here, and no apt-get to install it with")
    quiet = {
        "capture_output": True,
        "text": True,
        "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    }
    subprocess.run(["apt-get", "update"], **quiet)
    done = subprocess.run(
        ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES], **quiet
    )
    if done.returncode:
        pytest.skip(
            f"{' and '.join(PACKAGES)} could not be installed: "
            f"{done.stderr.strip().splitlines()[-1]}"
        )


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """SLURM at work. Yields: the environment in which its daemons are found."""
    install()
    links = [PLACE / name for name in ("slurm.conf", "gres.conf")]
    if any(link.exists() for link in links):
        pytest.skip(f"this machine has a SLURM of its own: {PLACE}")
    write(folder)
    PLACE.mkdir(exist_ok=True)
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    daemons = [
        [
            "munged",
            "--foreground",
            "--force",
            *(
                f"--{name}={folder}/munge.{name.partition('-')[0]}"
                for name in ("socket", "key-file")
            ),
        ],
        ["slurmctld", "-D"],
        ["slurmd", "-D"],
    ]
    daemons[0] += [f"--{name}-file={folder}/munge.{name}" for name in ("pid", "log", "seed")]
    running: list[subprocess.Popen[bytes]] = []
    try:
        for link in links:
            link.unlink(missing_ok=True)  # of a folder that is gone
            link.symlink_to(folder / link.name)
        for command, ready in zip(daemons, (has_socket, answers, idle), strict=True):
            with open(folder / f"{command[0]}.out", "wb") as said:
                running.append(subprocess.Popen(command, env=environment, stdout=said, stderr=said))
            while not ready(folder, environment):
                assert running[-1].poll() is None, (
                    f"{command[0]}: {(folder / f'{command[0]}.out').read_text()[-2000:]}"
                )
                time.sleep(0.2)
        yield environment
    finally:
        subprocess.run(["scancel", "--user=root"], env=environment, capture_output=True)
        for daemon in reversed(running):
            daemon.terminate()
            daemon.wait()
        for link in links:
            link.unlink(missing_ok=True)


def write(folder: Path) -> None:
    """Configuration and key of a cluster of one node, this one."""
    host = socket.gethostname().partition(".")[0]
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
        ports = [each.getsockname()[1] for each in (one, two)]
    (folder / "slurm.conf").write_text(CONFIGURATION.format(folder=folder, host=host, ports=ports))
    (folder / "gpu").touch()
    (folder / "gres.conf").write_text(f"Name=gpu File={folder}/gpu\n")
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    for name in ("state", "spool"):
        (folder / name).mkdir()


def has_socket(folder: Path, environment: dict[str, str]) -> bool:
    return (folder / "munge.socket").exists()


def answers(folder: Path, environment: dict[str, str]) -> bool:
    return (
        subprocess.run(["scontrol", "ping"], env=environment, capture_output=True).returncode == 0
    )


def idle(folder: Path, environment: dict[str, str]) -> bool:
    return (
        subprocess.run(
            ["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True
        ).stdout.strip()
        == "idle"
    )
