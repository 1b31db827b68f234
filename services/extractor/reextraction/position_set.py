"""A set of positions that takes a bit for each offset, for millions of images."""

from prequel.shared.log.base import Position


class PositionSet:
    """Positions of one topic. Its memory is an eighth of the largest offset in it, in bytes, for each partition.

    >>> positions = PositionSet()
    >>> positions.add(Position(0, 9))
    >>> Position(0, 9) in positions, Position(0, 8) in positions, Position(1, 9) in positions
    (True, False, False)
    """

    def __init__(self) -> None:
        self._bits: dict[int, bytearray] = {}

    def add(self, position: Position) -> None:
        at, bit = divmod(position.offset, 8)
        bits = self._bits.setdefault(position.partition, bytearray())
        if at >= len(bits):
            bits.extend(bytes(max(at + 1, 2 * len(bits)) - len(bits)))
        bits[at] |= 1 << bit

    def __contains__(self, position: Position) -> bool:
        at, bit = divmod(position.offset, 8)
        bits = self._bits.get(position.partition, b"")
        return at < len(bits) and bool(bits[at] >> bit & 1)
