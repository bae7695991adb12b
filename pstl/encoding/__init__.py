"""Clips in, features out: what tasks, users of weights and benchmarks share."""
