"""The verbs of the command line: each takes typed options and hands them on to the library."""
