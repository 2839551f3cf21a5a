"""Data: suites, sources, readers and splits; texts with labels out."""
