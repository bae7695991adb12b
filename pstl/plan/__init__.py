"""The bill of a suite: what it costs before it is run."""
