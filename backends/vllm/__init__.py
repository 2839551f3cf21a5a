"""Serves in vLLM, in process: heads, adapters, options and written answers."""
