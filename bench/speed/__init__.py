"""Measures speed: LoadGen scenarios, the server's batcher, operations and limits."""
