"""Classifiers: what a trained folder holds and the modules that compute its logits."""
