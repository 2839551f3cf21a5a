"""Gives the tests of pages a real browser."""

from browser_pages import browser, opened

__all__ = ["browser", "opened"]
