"""Serves one ONNX export in two engines: ONNX Runtime and TensorRT."""
