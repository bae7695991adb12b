"""Data sets that settings declare, without a module of their own: a module for each kind."""
