"""The two errors a person is meant to read: one line that says what was found, what was expected, what to do. And disks' own."""

import errno

# What goes wrong with disks and folders -> what to do about it.
REMEDIES = {
    errno.ENOSPC: "free some room, then run the same command again: what is finished is kept",
    errno.EDQUOT: "free some room, then run the same command again: what is finished is kept",
    errno.EFBIG: "raise the limit on the size of files, then run the same command again: what is finished is kept",
    errno.EROFS: "write somewhere else, or have it made writable",
    errno.EACCES: "write somewhere else, or have it made writable",
    errno.EPERM: "write somewhere else, or have it made writable",
    errno.ENOTDIR: "a file stands where a folder should be: move it away",
    errno.EEXIST: "a file stands where a folder should be: move it away",
    errno.EISDIR: "a folder stands where a file should be: move it away",
    errno.EIO: "the disk is failing: copy what is there to another one",
}


class UserError(Exception):
    """Something the user can put right. The command line prints it as one line, without traceback, and exits with 2."""


class ShapeError(UserError, ValueError):
    """A tensor or array has a shape the function cannot take; the message states both shapes."""


def trouble(error: OSError) -> str | None:
    """One line about a disk or folder that cannot be written or read; None if the error is of another kind, and ours."""
    remedy = REMEDIES.get(error.errno or 0)
    return remedy and f"{error.filename or 'output'}: {str(error.strerror).lower()}; {remedy}"
