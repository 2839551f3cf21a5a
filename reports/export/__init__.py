"""Writes results for other programs: flat rows, model cards, MLflow, TensorBoard."""
