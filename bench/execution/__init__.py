"""Trains and measures every cell of a plan in processes of their own."""
