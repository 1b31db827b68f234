"""How a process logs: lines for people, or one JSON object a line for machines."""

import logging
from datetime import UTC, datetime

import orjson

LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"

NOISY = ("kafka", "httpx")
"""Libraries that log each retry, at error level too: two lines whenever a broker is unavailable. The services log the
same once, and a bug in a library reaches them as an exception. So they are silent, except at level DEBUG."""


def configure_logging(level: str, style: str) -> None:
    """Set up the root logger of this process: ``level`` by its name in capitals, ``style`` is `text` or `json`."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if style == "json" else logging.Formatter(LINE))
    logging.basicConfig(level=level, handlers=[handler])
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "DEBUG" else logging.CRITICAL)


class JsonFormatter(logging.Formatter):
    """One object a line: `time` (RFC 3339), `level`, `logger`, `message`, `thread`; `exception` with its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "thread": record.threadName,
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        # Messages may quote what a stranger sent, lone surrogates included, which orjson refuses: replace them, for a
        # line must not be lost.
        return orjson.dumps(
            {key: str(value).encode("utf-8", "replace").decode() for key, value in fields.items()}
        ).decode()
