"""How connections to Kafka's brokers are secured: TLS and SASL, with secrets that stay out of every log."""

import logging
import ssl
from dataclasses import dataclass, field
from typing import Any

from prequel.shared.log.base import LogUnavailable


def keep_passwords_out_of_logs() -> None:
    """Turn off the client's debug logs: they have every byte that it sends, and SASL PLAIN sends the password."""
    for name in ("kafka.net", "kafka.protocol"):
        if logging.getLogger(name).getEffectiveLevel() < logging.INFO:
            logging.getLogger(name).setLevel(logging.INFO)


class _Secret(str):
    """A password that kafka-python does not show where it logs its configuration."""

    def __repr__(self) -> str:
        return "'***'"


@dataclass(frozen=True, kw_only=True)
class KafkaSecurity:
    """How connections to brokers are secured.

    ``protocol``: PREQUEL_KAFKA_SECURITY (PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL); ``mechanism``: PREQUEL_KAFKA_SASL;
    ``ca``, ``cert``, ``key``: PEM files, read when a client is made; empty: the system's CAs, no certificate of ours.
    """

    protocol: str = "PLAINTEXT"
    mechanism: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    ca: str = ""
    cert: str = ""
    key: str = ""

    def options(self) -> dict[str, Any]:
        """The client's options. Raises LogUnavailable where a file cannot be read."""
        options: dict[str, Any] = {"security_protocol": self.protocol}
        if self.protocol.startswith("SASL"):
            options["sasl_mechanism"] = self.mechanism
            options["sasl_plain_username"] = self.user
            options["sasl_plain_password"] = _Secret(self.password)
        if self.protocol.endswith("SSL"):
            options["ssl_context"] = self._context()
        return options

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.cert:
                context.load_cert_chain(self.cert, self.key or None)
        except (OSError, ssl.SSLError) as error:
            raise LogUnavailable(
                f"PREQUEL_KAFKA_CA={self.ca}, PREQUEL_KAFKA_CERT={self.cert}, PREQUEL_KAFKA_KEY={self.key}: {error}"
            ) from None
        return context
