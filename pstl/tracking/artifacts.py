"""Files of stored runs: beside a local database, or with a server."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pstl.files import Kind, atomic, read_text, write_text
from pstl.tracking import local_store

STORED = Kind("readable file of a stored run", "import its suite again")


def put(client: Any, address: str, run: Any, file: Path, name: str) -> None:
    """Store a file of a run.   name: where, with folders; it ends as the file is called."""
    if local_store.is_local(address):
        place = _place(address, run, name)
        place.parent.mkdir(parents=True, exist_ok=True)
        with atomic(place) as new:
            shutil.copyfile(file, new)
    else:
        folder = Path(name).parent.as_posix()
        client.log_artifact(run.info.run_id, str(file), None if folder == "." else folder)


def put_text(client: Any, address: str, run: Any, text: str, name: str) -> None:
    """Store a text as a file of a run."""
    if local_store.is_local(address):
        write_text(_place(address, run, name), text)
    else:
        client.log_text(run.info.run_id, text, name)


def get_text(client: Any, address: str, run: Any, name: str) -> str | None:
    """One file of a run, in the folder of all; None if it has none of this name."""
    if local_store.is_local(address):
        place = _place(address, run, name)
        return read_text(place, STORED) if place.is_file() else None
    if name not in {file.path for file in client.list_artifacts(run.info.run_id)}:
        return None
    with TemporaryDirectory() as folder:
        return read_text(client.download_artifacts(run.info.run_id, name, folder), STORED)


def _place(address: str, run: Any, name: str) -> Path:
    """Where a file of a run lies: MLflow notes it from the folder of the database."""
    return local_store.database(address).absolute().parent / run.info.artifact_uri / name
