"""Exports: flat rows, model cards, MLflow, TensorBoard."""
