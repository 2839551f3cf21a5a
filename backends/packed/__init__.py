"""Computes BERT-like encoders and decoders on real tokens only, on CPUs."""
