"""Folders that are skipped, since they have no images of the user's own: hidden ones, thumbnails, trash, snapshots."""

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
"""In lower case: they contain copies of images, or deleted images. No class has such a name."""


def is_system_folder(name: str) -> bool:
    """Whether a folder in a source is skipped; hidden ones (`.thumbnails`, `.AppleDouble`) always are."""
    return name.startswith(".") or name.lower() in _NAMES
