"""Images that are in a source more than once: a copy is sent once, and two labels for it are a contradiction."""

from prequel.services.producer.sources.base import LoadedImage
from prequel.services.producer.summary import ImageProblem


class DuplicateFilter:
    """Remembers id, name and label of every image of a run in memory: some 300 bytes each."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, str | None]] = {}
        self.copies = 0
        self.contradictions: list[ImageProblem] = []

    def is_new(self, image: LoadedImage) -> bool:
        """Whether the image is to be sent: it is the first with its id, or the first of them with a label.

        A copy under another label keeps the first label of the run.
        """
        if image.id not in self._first:
            self._first[image.id] = image.name, image.label
            return True
        name, label = self._first[image.id]
        if image.label is None or image.label == label:
            self.copies += 1
            return False
        if label is not None:
            problem = f"{image.label}, but {label} as {name}, which counts"
            self.contradictions.append(ImageProblem(image.name, problem))
            return False
        self._first[image.id] = image.name, image.label
        return True
