"""Assigns the partitions of an embedded topic to the members of a group, and moves as few of them as possible."""

from collections.abc import Mapping, Sequence


def assign_partitions(partitions: int, members: Sequence[str], owners: Mapping[int, str]) -> dict[int, str]:
    """Partition -> member, given who owns what now (``owners``; members that left may be among them).

    Shares differ by one at most, and as few partitions move as that allows: each move costs the new owner a restored
    snapshot. The same arguments always give the same answer.
    """
    if not members:
        return {}
    owned: dict[str, list[int]] = {member: [] for member in members}
    for partition in range(partitions):
        owned.get(owners.get(partition, ""), []).append(partition)
    # Where the shares cannot be equal, those who own most keep the larger ones: fewer partitions move.
    share, larger_shares = divmod(partitions, len(members))
    by_load = sorted(members, key=lambda member: -len(owned[member]))
    capacity = {member: share + (place < larger_shares) for place, member in enumerate(by_load)}
    shares = {member: owned[member][: capacity[member]] for member in members}
    free = sorted(set(range(partitions)).difference(*shares.values()))
    for member in members:
        while len(shares[member]) < capacity[member]:
            shares[member].append(free.pop(0))
    return {partition: member for member, share_of_member in shares.items() for partition in share_of_member}
