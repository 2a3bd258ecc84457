"""The generation engine: continuous batching for short texts on ONNX Runtime, in one thread."""
