"""ONNX Runtime and TensorRT: one export, two engines."""
