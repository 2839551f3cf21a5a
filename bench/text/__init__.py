"""Texts: tokens, batches, language and splits."""
