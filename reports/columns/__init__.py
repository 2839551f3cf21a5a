"""Defines every column of results once, for the tables, the page and the exports."""
