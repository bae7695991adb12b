"""The two errors a person is meant to read: one line that says what was found, what was expected, what to do."""


class UserError(Exception):
    """Something the user can put right. The command line prints it as one line, without traceback, and exits with 2."""


class ShapeError(UserError, ValueError):
    """A tensor or array has a shape the function cannot take; the message states both shapes."""
