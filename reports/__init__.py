"""Leaderboards: pure functions of the stored result files."""
