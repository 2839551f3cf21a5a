"""Holds what several methods share: sequences, heads, prompts, vocabularies."""
