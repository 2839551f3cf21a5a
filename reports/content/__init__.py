"""Finds what is to be said before any layout: results, standing, speed and published figures."""
