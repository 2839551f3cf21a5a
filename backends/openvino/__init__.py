"""Serves an ONNX export compiled for Intel's runtime."""
