"""The one base of the errors that a user of the library can catch."""


class PrequelError(Exception):
    """What was asked for cannot be done; the text is a sentence that says what is wrong, where, and what to do.

    Every error that the library raises on purpose is one, but for TypeError and ValueError where an argument is none
    that Python would take, and ImportError where a package is missing.
    """
