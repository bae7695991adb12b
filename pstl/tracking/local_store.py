"""A store that is a file of this machine: made whole or not at all, and movable with its files.

MLflow makes its database in many steps, each of them written at once: killed between two it leaves
one that no later call can open. So it is made aside and gets its name when all tables are there.
MLflow keeps where the artifacts of a run lie as a path from the root, so that a folder that was
moved or renamed would lose them.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pstl.errors import UserError
from pstl.files import atomic

log = logging.getLogger(__name__)
DAMAGED = "move it away, and import again: results are in files"
ARTIFACTS = "mlruns"  # folder beside the database
VERSION, RUNS = "alembic_version", "runs"  # tables: the last finished step, and the runs


def make(database: Path, opened: Callable[[str], object]) -> None:
    """Make a store where none is.   opened(address): have MLflow make all tables there.

    Raises: UserError if the disk does not let itself be written to, and what `opened` raises.
    """
    with atomic(database) as new:
        opened(f"sqlite:///{new.absolute()}")


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
    """Let runs find their artifacts again after the folder of the store was moved or renamed.

    A place is corrected if it is gone and the same one beside the database is there.
    Raises: UserError if the database cannot be written to.
    """
    home = database.absolute().parent / ARTIFACTS
    if not home.is_dir():
        return
    with _tables(database) as (connection, tables):
        if not {RUNS, "experiments"} <= tables:
            return
        for place in _artifact_places(connection):
            here = home / Path(place).name
            if not Path(place).exists() and here.is_dir():
                log.info("tracking store %s: artifacts of %s are now in %s", database, place, here)
                _move(connection, place, str(here))
        connection.commit()


def _move(connection: sqlite3.Connection, place: str, here: str) -> None:
    """Write another place wherever this one, or one below it, is written."""
    for table, column in (("experiments", "artifact_location"), (RUNS, "artifact_uri")):
        connection.execute(
            f"UPDATE {table} SET {column} = :here || substr({column}, length(:place) + 1) "
            f"WHERE {column} = :place OR substr({column}, 1, length(:place) + 1) = :place || '/'",
            {"here": here, "place": place},
        )


def _artifact_places(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT artifact_location FROM experiments").fetchall()
    return [place for (place,) in rows if place and Path(place).parent.name == ARTIFACTS]


@contextmanager
def _tables(database: Path) -> Iterator[tuple[sqlite3.Connection, set[str]]]:
    """A database and the names of its tables."""
    try:
        with closing(sqlite3.connect(database)) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            yield connection, {name for (name,) in rows}
    except sqlite3.Error as error:
        raise UserError(f"tracking store {database}: {error}; {DAMAGED}") from None
