"""Who is at work in a folder, on which machine: a lock may be removed only if its owner is gone.

Every Snakemake that reads the Snakefile leaves a record of itself before it locks the folder, and
takes it away when it ends. Who is killed leaves it. Whether such a process is still there can be
known on its own machine only: a folder may be shared by the nodes of a cluster, and the containers
of one machine do not see each other's processes.
"""

import atexit
import os
import socket
import time
from pathlib import Path

from pydantic import BaseModel, ValidationError

from pstl.publish import lives

FOLDER = Path(".snakemake", "owners")


class Owner(BaseModel):
    """One Snakemake.

    machine: what tells it from others of its name; empty: nothing does, as in many containers.
    boot: the id that it has until it is switched off.   processes: the space that its
    process id is a number of; containers have their own.   begun: of the process, in ticks since
    the machine was switched on; tells it from a later one of the same number.   since: for people.
    """

    host: str
    machine: str = ""  # records of earlier versions lack it
    boot: str
    processes: str
    pid: int
    begun: str
    since: str

    def is_gone(self) -> bool:
        """Whether this process is known to have ended."""
        here = current()
        if self.host != here.host:
            return False
        if self.boot != here.boot:
            # Its machine was switched off since, or is another one: clones may share their names.
            return self.machine == here.machine != ""
        return self.processes == here.processes and not self._lives()

    def _lives(self) -> bool:
        """/proc may show the processes of this user only."""
        begun = _begun(self.pid)
        return begun == self.begun if begun else lives(self.pid)

    @property
    def record(self) -> Path:
        """Where it says that it is at work, in the folder it works in."""
        return FOLDER / f"{self.host}-{self.boot[:8]}-{self.pid}.json"


def current() -> Owner:
    """This process."""
    return Owner(
        host=socket.gethostname(),
        machine=_machine(),
        boot=_line("/proc/sys/kernel/random/boot_id"),
        processes=_link("/proc/self/ns/pid"),
        pid=os.getpid(),
        begun=_begun(os.getpid()),
        since=time.strftime("%Y-%m-%d %H:%M"),
    )


def announce() -> None:
    """Say in this folder that this process is at work, until it ends."""
    owner = current()
    FOLDER.mkdir(parents=True, exist_ok=True)
    owner.record.write_text(owner.model_dump_json())
    atexit.register(_take_away, owner.record.absolute(), owner.pid)


def recorded() -> list[Owner]:
    """Who said so in this folder and did not take it back; half a record is nobody's."""
    owners = []
    for path in sorted(FOLDER.glob("*.json")):
        try:
            owners.append(Owner.model_validate_json(path.read_text()))
        except (OSError, ValidationError):
            path.unlink(missing_ok=True)
    return owners


def _take_away(record: Path, pid: int) -> None:
    """Not in a child that was forked off."""
    if os.getpid() == pid:
        record.unlink(missing_ok=True)


def _machine() -> str:
    """The id that an installation gave itself, and its network devices: a clone has others."""
    number = _line("/etc/machine-id")
    devices = sorted(Path("/sys/class/net").glob("*/device"))
    addresses = sorted({_line(f"{device.parent}/address") for device in devices} - {""})
    return " ".join([number, *addresses]) if number and addresses else ""


def _begun(pid: int) -> str:
    """When a process began; empty if there is none."""
    return (_line(f"/proc/{pid}/stat").rpartition(")")[2].split() or [""] * 20)[19]


def _line(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
