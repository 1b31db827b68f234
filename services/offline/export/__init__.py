"""A model's arrays made into files that other programs run: Keras, ONNX."""
