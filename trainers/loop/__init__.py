"""The training loop: batches, losses, optimisers, checkpoints, evaluation."""
