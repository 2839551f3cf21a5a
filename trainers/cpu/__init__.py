"""Trains faster on CPUs: unpadded BERT, lean decoders, byte dropout."""
