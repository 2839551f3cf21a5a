"""Shows stored results: leaderboards as pure functions of the result files."""
