"""Decodes the records of topics with several kinds of events: which decoder reads which CloudEvents type."""

from collections.abc import Callable, Mapping
from typing import Any

from prequel.shared.events.commands import applied_from_json, decode_command
from prequel.shared.events.defaults import decode_defaults
from prequel.shared.events.drifts import drift_from_json
from prequel.shared.events.erased import decode_erased
from prequel.shared.events.features import decode_features
from prequel.shared.events.fields import parse_body, parse_stream, record_key
from prequel.shared.events.headers import check_type, read_headers, read_type
from prequel.shared.events.labels import decode_label
from prequel.shared.events.outcomes import outcome_from_json
from prequel.shared.events.predictions import prediction_from_json
from prequel.shared.events.types import (
    APPLIED_TYPE,
    COMMAND_TYPE,
    DEFAULTS_TYPE,
    DRIFT_TYPE,
    ERASED_TYPE,
    FEATURES_TYPE,
    LABEL_TYPE,
    OUTCOME_TYPE,
    PREDICTION_TYPE,
    ExampleEvent,
    PredictionEvent,
    Rejected,
)
from prequel.shared.log.base import Record

_STREAM_EVENTS: Mapping[str, Callable[[Record, dict[str, str], str], ExampleEvent]] = {
    FEATURES_TYPE: decode_features,
    LABEL_TYPE: decode_label,
    COMMAND_TYPE: decode_command,
    ERASED_TYPE: decode_erased,
}
_EXAMPLE_TYPES = (DEFAULTS_TYPE, *_STREAM_EVENTS)

_PREDICTION_EVENTS: Mapping[str, Callable[[dict[str, Any], Record], PredictionEvent]] = {
    PREDICTION_TYPE: prediction_from_json,
    OUTCOME_TYPE: outcome_from_json,
    DRIFT_TYPE: drift_from_json,
    APPLIED_TYPE: applied_from_json,
}


def decode_example(record: Record) -> ExampleEvent:
    """Any event of the topic `examples`. Raises Rejected and nothing else, whatever the bytes."""
    record, headers = read_headers(record)
    event_type = check_type(headers, _EXAMPLE_TYPES)
    if event_type == DEFAULTS_TYPE:  # The only one that belongs to no stream.
        return decode_defaults(record)
    return _STREAM_EVENTS[event_type](record, headers, parse_stream(record_key(record)))


def decode_prediction_event(record: Record) -> PredictionEvent:
    """Any event of the topic `predictions`. Raises Rejected and nothing else, whatever the bytes."""
    event_type = check_type(read_type(record), _PREDICTION_EVENTS)
    body = parse_body(record.value)
    try:
        return _PREDICTION_EVENTS[event_type](body, record)
    # What Python raises for a field that is missing or of a wrong type: anybody may write to the log.
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Rejected("malformed", f"{event_type}: {error!r}") from None
