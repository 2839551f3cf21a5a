"""Training methods: one file each; a dataset in, a classifier folder out. Listed in bench/registry.py."""
