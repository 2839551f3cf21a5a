"""Holds what several engines share: sessions, batches, softmax, generation."""
