"""Trains classifiers, one file a method: a dataset in, a classifier folder out. Listed in bench/registry.py."""
