"""Downstream tasks: features in, rows out.

`evaluate` runs one task, `fuse` sums the scores of several streams.
"""
