"""The pictures of one run by their ids: a copy is sent once, and one picture under two labels is a contradiction."""

from prequel.services.producer.sources.base import Item

Complaint = tuple[str, str]


class Seen:
    """Holds id, name and label of every picture of a run in memory: some 300 bytes each."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, str | None]] = {}
        self.copies = 0
        self.contradictions: list[Complaint] = []

    def is_new(self, item: Item) -> bool:
        """Whether the picture is to be sent: it was not there yet, or without the label that it has now.

        A picture that is there under another label keeps the first one of the run.
        """
        if item.id not in self._seen:
            self._seen[item.id] = item.name, item.label
            return True
        name, label = self._seen[item.id]
        if item.label is None or item.label == label:
            self.copies += 1
            return False
        if label is not None:
            self.contradictions.append((item.name, f"{item.label}, but {label} as {name}, which counts"))
            return False
        self._seen[item.id] = item.name, item.label
        return True
