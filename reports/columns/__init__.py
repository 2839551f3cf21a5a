"""Columns of results: each is defined once, for the tables, the page and the exports."""
