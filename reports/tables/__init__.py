"""Makes the tables of a leaderboard, one file each."""
