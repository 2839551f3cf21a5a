"""The tables of a leaderboard, one file each."""
