"""Runs the training loop: batches, losses, optimisers, checkpoints, evaluation."""
