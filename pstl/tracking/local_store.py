"""A store that is a file of this machine: made whole or not at all, and movable with its files.

MLflow makes its database in many steps, each of them written at once: killed between two it leaves
one that no later call can open. So it is made aside and gets its name when all tables are there.
MLflow notes where the artifacts of a run lie as a path from the root, so that a folder that was
moved or renamed would lose them; here it is noted from the folder of the database on, where `pstl
ui` starts the server.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pstl.errors import UserError
from pstl.files import atomic
from pstl.publish import kind_of

log = logging.getLogger(__name__)
DAMAGED = "move it away, and import again: results are in files"
SQLITE = "sqlite:///"
ARTIFACTS = "mlruns"  # folder beside the database
# Where experiments keep their artifacts, and whether there is a run in them.
PLACES = """SELECT artifact_location, experiment_id IN (SELECT experiment_id FROM runs)
            FROM experiments"""
VERSION, RUNS = "alembic_version", "runs"  # tables: the last finished step, and the runs


def is_local(address: str) -> bool:
    """Whether a store is a file of this machine."""
    return address.startswith(("sqlite:", "sqlite+"))


def database(address: str) -> Path:
    """The file of a local store, whether it is there yet or not.

    Raises: UserError for an address of no file, and for what is no file: a device would be renamed.
    """
    name = address.removeprefix(SQLITE)
    if not name or name == address or name.startswith(":") or "?" in name:
        expected = f"expected {SQLITE}FILE, e.g. {SQLITE}mlflow.db"
        raise UserError(f"tracking store {address}: names no file that would be kept; {expected}")
    path = Path(name)
    if os.path.exists(path) and not os.path.isfile(path):
        stands = f"{kind_of(path.stat().st_mode)} stands where the store should be"
        raise UserError(f"tracking store {name}: {stands}; name another file")
    return path


def make(database: Path, opened: Callable[[str], object]) -> None:
    """Make a store where none is.   opened(address): have MLflow make all tables there.

    Raises: UserError if the disk does not let itself be written to, and what `opened` raises.
    """
    with atomic(database) as new:
        opened(f"{SQLITE}{new.absolute()}")


def is_half_made(database: Path, finished: str) -> bool:
    """Whether MLflow was killed while it made this store, so that no run was ever in it.

    finished: what MLflow calls the last step of making one.   Raises: UserError if it is no
    database.
    """
    with _tables(database) as (connection, tables):
        if RUNS in tables and connection.execute("SELECT 1 FROM runs LIMIT 1").fetchone():
            return False
        if VERSION in tables:
            return (finished,) not in connection.execute(f"SELECT * FROM {VERSION}").fetchall()
        return not tables or "experiments" in tables


def set_aside(database: Path) -> Path:
    """Give another name to a store that cannot be used; nothing is deleted."""
    number = 1
    while (aside := database.with_name(f"{database.name}.half-made-{number}")).exists():
        number += 1
    os.replace(database, aside)
    return aside


def follow(database: Path) -> None:
    """Note where artifacts lie from the database's folder on, so that both move together.

    A place that is gone is corrected if the same one beside the database is there. What lies
    elsewhere stays noted as it is.
    Raises: UserError if the database cannot be written to.
    """
    home = database.absolute().parent / ARTIFACTS
    with _tables(database) as (connection, tables):
        if not {RUNS, "experiments"} <= tables:
            return
        for place, is_used in connection.execute(PLACES).fetchall():
            parts = Path(place or "").parts
            if ARTIFACTS not in parts or not Path(place).is_absolute():
                continue
            last = len(parts) - 1 - parts[::-1].index(ARTIFACTS)
            here = Path(ARTIFACTS, *parts[last + 1 :])
            is_here = Path(place).is_relative_to(home)
            is_gone = not Path(place).exists() and (home.parent / here).is_dir()
            if is_here or is_gone or not is_used:
                if is_gone:
                    log.info("tracking store %s: files of %s are now in %s", database, place, here)
                _move(connection, place, here.as_posix())
        connection.commit()


def _move(connection: sqlite3.Connection, place: str, here: str) -> None:
    """Write another place wherever this one, or one below it, is written."""
    for table, column in (("experiments", "artifact_location"), (RUNS, "artifact_uri")):
        connection.execute(
            f"UPDATE {table} SET {column} = :here || substr({column}, length(:place) + 1) "
            f"WHERE {column} = :place OR substr({column}, 1, length(:place) + 1) = :place || '/'",
            {"here": here, "place": place},
        )


@contextmanager
def _tables(database: Path) -> Iterator[tuple[sqlite3.Connection, set[str]]]:
    """A database and the names of its tables."""
    try:
        with closing(sqlite3.connect(database)) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            yield connection, {name for (name,) in rows}
    except sqlite3.Error as error:
        raise UserError(f"tracking store {database}: {error}; {DAMAGED}") from None
