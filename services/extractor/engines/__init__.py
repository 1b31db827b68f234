"""The engines that run backbones: Keras, and OpenVINO on networks that are converted for it."""
