"""Renders tables, markdown, figures and words in the reader's language."""
