"""The pure core: rules that know no Kafka, no clock and no ONNX."""
