"""Why a command has no effect."""


class Refused(Exception):
    """``why`` is a sentence for people. It is in the state (a repeated command gets it again): another text is another
    digest."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
