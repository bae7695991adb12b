"""Damage, kills and hostile names by the hundred: `pytest -m drills`."""
