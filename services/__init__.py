"""The services: extractor, learner, gateway, producer."""
