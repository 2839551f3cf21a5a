"""Judges a run against a baseline, in quality and in speed."""
