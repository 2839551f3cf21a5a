"""Training on CPUs: unpadded BERT, lean decoders, byte dropout."""
