"""Holds what a trained classifier's folder contains, and the modules that compute its logits."""
