"""Folders that no picture of a user's lies in: hidden ones, thumbnails, wastebaskets and snapshots of a NAS."""

_NAMES = frozenset(
    (
        "#recycle",  # Synology
        "#snapshot",
        "@eadir",
        "@recycle",  # QNAP
        "@recently-snapshot",
        "@sharebin",
        "@tmp",
        "@upload_cache",
        "__macosx",  # archives made on a Mac
        "$recycle.bin",  # Windows
        "recycler",
        "system volume information",
        "lost+found",  # ext file systems
        "network trash folder",  # AFP
        "temporary items",
    )
)
"""In lower case: what lies in these is a copy of a picture, or one that was deleted. No class is called so."""


def is_system_folder(name: str) -> bool:
    """Whether a folder below the source is not looked into; hidden ones (`.thumbnails`, `.AppleDouble`) never are."""
    return name.startswith(".") or name.lower() in _NAMES
