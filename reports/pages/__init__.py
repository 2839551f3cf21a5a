"""Shows what single commands found: check, attribute, selftest, pytest-benchmark."""
