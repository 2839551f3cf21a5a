"""Gets labelled texts: suites, sources, readers and splits."""
