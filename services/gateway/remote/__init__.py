"""Remote services: the learners and extractors of other processes, as the gateway calls them."""
