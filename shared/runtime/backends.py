"""Opens the log and the store that the settings name; only the client library that is needed is imported."""

from pathlib import Path

from prequel.shared.config import ConfigError, Settings
from prequel.shared.log.base import Log
from prequel.shared.store.base import Store
from prequel.shared.topics import MAX_OVERHEAD_BYTES


def open_log(settings: Settings, *, create: bool = True) -> Log:
    """The log of PREQUEL_LOG. With ``create`` False an embedded log that does not exist is not made.

    Then its first use raises LogUnavailable: for commands that only read.
    """
    if settings.log_url.startswith("kafka://"):
        from prequel.shared.log.kafka.cluster import kafka_cluster
        from prequel.shared.log.kafka.log import KafkaLog

        return KafkaLog(kafka_cluster(settings))
    from prequel.shared.log.sqlite.log import MAX_RECORD_BYTES, SqliteLog

    max_record_bytes = max(MAX_RECORD_BYTES, settings.max_image_bytes + MAX_OVERHEAD_BYTES)
    return SqliteLog(
        Path(settings.log_url.removeprefix("sqlite:///")), max_record_bytes=max_record_bytes, create=create
    )


def open_store(settings: Settings, *, create: bool = True) -> Store:
    """The store of PREQUEL_STORE; ``create`` as for the log. Raises ConfigError for an address that is none."""
    if not settings.store_url.startswith("sqlite:///"):
        from prequel.shared.store.redis.store import RedisStore

        try:
            return RedisStore(settings.store_url, ca=settings.redis_ca)
        except ValueError:  # Not passed on: its message may quote a part of the password.
            raise ConfigError(
                "PREQUEL_STORE is not a valid address of Redis: use redis://[user:password@]host:port[/db], and "
                "percent-encode special characters in the password (/ is %2F, # is %23, ? is %3F, @ is %40)"
            ) from None
    from prequel.shared.store.sqlite import SqliteStore

    return SqliteStore(Path(settings.store_url.removeprefix("sqlite:///")), create=create)
