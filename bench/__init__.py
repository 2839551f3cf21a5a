"""Benchmark harness for text classifiers: which model, method and engine to deploy."""

from bench.machine.companions import hide_unfit_companions

__version__ = "0.1.0"

hide_unfit_companions()
