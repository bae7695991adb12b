"""Metrics, exact over samples: pure functions, and what is said of each number in tables."""
