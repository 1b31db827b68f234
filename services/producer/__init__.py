"""The producer: streams folders, single images and data sets through the gateway."""
