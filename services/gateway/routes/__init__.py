"""Routes: one file for each group of HTTP calls, and the table of all."""

from prequel.services.gateway.routes import (
    backtests,
    commands,
    documentation,
    events,
    examples,
    exports,
    history,
    images,
    installation,
    labels,
    lookup,
    model,
    operations,
    predict,
    predictions,
    queue,
    stored_images,
    streams,
)

ROUTERS = (
    images.router,
    examples.router,
    stored_images.router,
    labels.router,
    lookup.router,
    predictions.router,
    predict.router,
    queue.router,
    streams.router,
    backtests.router,
    commands.router,
    history.router,
    exports.router,
    model.router,
    events.router,
    operations.router,
    installation.router,
    documentation.router,
)
"""In the order in which /docs lists them; app.py includes each."""
