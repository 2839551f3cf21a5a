"""Turns texts into tokens and batches, and knows their language and splits."""
