"""From the files of one cell to its rows: `evaluate` runs a task, `fuse` sums several streams'
scores.
"""
