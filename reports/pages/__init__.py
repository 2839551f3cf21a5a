"""Pages of single commands: check, attribute, selftest, pytest-benchmark."""
