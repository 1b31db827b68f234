"""How a process logs: lines for people, or one JSON object a line for machines."""

import logging
from datetime import UTC, datetime

import orjson

LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"

NOISY = ("kafka", "httpx")
"""Libraries that tell of every retry what we say once, in our own words, errors too: two lines each time that a broker
is not there. What is a bug in them comes to us as an exception. At DEBUG they are heard."""


def configure_logging(level: str, style: str) -> None:
    """Set up the root logger of this process: ``level`` by its name in capitals, ``style`` is `text` or `json`."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if style == "json" else logging.Formatter(LINE))
    logging.basicConfig(level=level, handlers=[handler])
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "DEBUG" else logging.CRITICAL)


class JsonFormatter(logging.Formatter):
    """One object a line: `time` (RFC 3339), `level`, `logger`, `message`, `thread`; `exception` with its stack."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "thread": record.threadName,
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        # Bytes of strangers end up in messages: what is no Unicode must not cost the line.
        return orjson.dumps(
            {key: str(value).encode("utf-8", "replace").decode() for key, value in entry.items()}
        ).decode()
