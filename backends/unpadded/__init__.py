"""Serves ragged batches without padding, on GPUs."""
