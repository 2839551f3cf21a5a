"""Gates: compare a run with a baseline and judge it."""
