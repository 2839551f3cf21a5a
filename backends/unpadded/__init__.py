"""Unpadded: ragged batches without padding, on GPUs."""
