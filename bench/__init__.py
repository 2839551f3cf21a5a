"""Benchmark harness for text classifiers: which model, method and engine to deploy."""

__version__ = "0.1.0"
