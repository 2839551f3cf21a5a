"""Takes the command `bench`: arguments in, one call into the harness, exit code out."""

from bench.cli.main import cli, main

__all__ = ["cli", "main"]
