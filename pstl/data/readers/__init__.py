"""Files that people have of their own: tables, arrays, motion capture, and what pose estimators
write.

A reader says what a file holds; whose joints those are in metres, and which way is up, is judged in
one place for all (pstl/data/own.py).
"""
