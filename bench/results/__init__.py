"""Results: the records of a run folder, and reading and writing it."""
