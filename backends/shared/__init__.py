"""What several engines share: sessions, batches, softmax, generation."""
