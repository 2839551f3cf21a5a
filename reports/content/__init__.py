"""Finds what is to be said before any layout: rows, standing, speed and published figures."""
