"""Floor 1: ONNX Runtime sessions. Arrays in, arrays out."""
