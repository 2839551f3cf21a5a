"""Stores a run: the records of a run folder, and reading and writing it."""
