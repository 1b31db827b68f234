"""The errors of an evaluation, each with a message that says what is wrong and what to do."""

from prequel.shared.errors import PrequelError


class EvaluationError(PrequelError):
    """The evaluation cannot be made of these examples."""


class WrongOptions(EvaluationError):
    """The command line is wrong, whatever is evaluated; the exit code is that of argparse."""
