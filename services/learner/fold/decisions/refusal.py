"""Why a command has no effect."""

MAX_WHY = 1_000
"""Characters: a command may quote a whole spec, or what somebody took for one, and the state must stay small."""


class Refused(Exception):
    """``why`` is a sentence for people. It is in the state (a repeated command gets it again): another text is another
    digest."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why[:MAX_WHY]
