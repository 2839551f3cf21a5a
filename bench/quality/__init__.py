"""Computes scores, intervals, parity and ranks from stored answers."""
