"""Serves classifiers through engines, one file each: texts in, class probabilities out. Listed in bench/registry.py."""
