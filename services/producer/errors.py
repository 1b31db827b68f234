"""The errors of the producer, each with a message that says what is wrong and what to do."""

from prequel.shared.errors import PrequelError


class ProducerError(PrequelError):
    """A command cannot do what it was asked to do.

    WrongUsage          the command line itself is wrong
    SourceError         the images or labels to be streamed are not usable
    GatewayError        the gateway is not reached, or not usable
      GatewayUnavailable  no gateway answers, or it cannot now; it may later
      RequestRefused    the gateway refuses this request; others may succeed
      CommandRefused    the learner refuses this command
    Stopped             the user stopped the command
    """


class WrongUsage(ProducerError):
    """The command line is wrong, whatever there is to stream; the exit code is that of argparse."""


class SourceError(ProducerError):
    """The source cannot be streamed as asked."""


class GatewayError(ProducerError):
    """The gateway cannot be used."""


class GatewayUnavailable(GatewayError):
    """No gateway answers, or it cannot now. The same request may succeed later."""


class CommandRefused(GatewayError):
    """The stream is unchanged: the text says why."""


class RequestRefused(GatewayError):
    """The gateway will never accept this request; it may accept others.

    ``status_code`` is that of the HTTP answer, ``reason`` that of a dead letter, empty for other refusals.
    """

    def __init__(self, status_code: int, detail: str, reason: str = "") -> None:
        super().__init__(detail)
        self.status_code, self.reason = status_code, reason


class Stopped(ProducerError):
    """The user stopped the command while it waited for something."""
