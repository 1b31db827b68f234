"""Bytes and seconds as people read them."""


def format_bytes(count: float) -> str:
    """As people say it: 512 B, 4.2 MB, 50 GB."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"


def format_seconds(seconds: float) -> str:
    """In days from two of them on, else in hours, minutes or seconds."""
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.3g} days"
    if seconds < 60:
        return f"{seconds:.0f} seconds"
    if seconds < 3_600:
        return f"{seconds / 60:.2g} minutes"
    return "1 hour" if seconds == 3_600 else f"{seconds / 3_600:.3g} hours"
