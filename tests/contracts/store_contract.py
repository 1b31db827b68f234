"""What every store promises (shared.store.base): plain values, and roots that only the newest owner can replace.

A test module runs it by ``class TestSomeStore(StoreContract)`` and these fixtures of its own:

- ``make_store() -> Store``: a new handle, as another process would have one, to one and the same store, empty at first;
- ``opening: str``: Python source that binds ``store`` to such a handle in another process;
- ``timeout_s: float``: seconds within which what the tests wait for must happen.
"""

import threading
from collections.abc import Callable

import pytest

from prequel.shared.store.base import Fence, Fenced, Store, StoreUnavailable
from tests.contracts.processes import worker

MakeStore = Callable[[], Store]

OLD, OWNER, NEWER = Fence(1, 5, "old"), Fence(1, 6, "owner"), Fence(1, 7, "newer")
OLDER = [Fence(1, 5, "owner"), Fence(0, 99, "owner"), Fence(0, 6, "owner"), Fence(1, 0, "z")]
NOT_OLDER = [Fence(1, 6, "another"), Fence(1, 7, "owner"), Fence(2, 0, "a"), Fence(2, 6, "owner")]
VALUES = [b"", b"\x00", b"value", bytes(range(256)) * 1000, b"\r\n$-1\r\n", "größe ✓".encode()]
KEYS = ["k", "status/pets", "a b", "größe ✓", "line\nbreak", "*", "a%_[b]?", "x" * 500, "{tag}/1"]


class StoreContract:
    # Plain values.

    @pytest.mark.parametrize("value", VALUES)
    def test_a_value_comes_back_byte_for_byte(self, make_store: MakeStore, value: bytes) -> None:
        store = make_store()
        store.put("k", value)
        assert store.get("k") == value
        assert make_store().get("k") == value

    @pytest.mark.parametrize("key", KEYS)
    def test_any_text_is_a_key(self, make_store: MakeStore, key: str) -> None:
        store = make_store()
        store.put(key, b"1")
        assert (store.get(key), store.keys(key), store.keys("")) == (b"1", [key], [key])
        store.delete([key])
        assert (store.get(key), store.keys("")) == (None, [])

    def test_what_was_never_put_is_none(self, make_store: MakeStore) -> None:
        assert make_store().get("nothing") is None

    def test_a_later_put_replaces_the_value(self, make_store: MakeStore) -> None:
        store = make_store()
        for value in (b"long" * 1000, b"short", b"short"):
            store.put("k", value)
            assert store.get("k") == value

    def test_delete_removes_any_number_of_keys_and_no_others(self, make_store: MakeStore) -> None:
        store = make_store()
        for key in ("a", "ab", "b", "c"):
            store.put(key, b"1")
        store.delete(["a", "never", "c", "a"])
        store.delete([])
        assert store.keys("") == ["ab", "b"]

    def test_keys_are_those_of_the_prefix_sorted(self, make_store: MakeStore) -> None:
        store = make_store()
        for key in ("b/2", "b/10", "b", "a/1", "bb", "B/1", "b/é", "b*", "c"):
            store.put(key, b"")
        store.acquire("b/root", OWNER)
        store.swap("b/root", OWNER, b"r")
        assert store.keys("b/") == ["b/10", "b/2", "b/root", "b/é"]
        assert store.keys("b*") == ["b*"]
        assert store.keys("nothing") == []
        assert store.keys("") == sorted(["b/2", "b/10", "b", "a/1", "bb", "B/1", "b/é", "b*", "c", "b/root"])

    def test_keys_with_values_leaves_out_keys_without_one(self, make_store: MakeStore) -> None:
        store = make_store()
        for key in ("b/2", "b/10", "a"):
            store.put(key, b"")
        store.acquire("b/root", OWNER)
        assert store.keys("b/") == ["b/10", "b/2", "b/root"]
        assert store.keys_with_values("b/") == ["b/10", "b/2"]
        store.swap("b/root", OWNER, b"r", ["b/2"])
        assert make_store().keys_with_values("") == ["a", "b/10", "b/root"]
        assert store.keys_with_values("nothing") == []

    def test_many_values_are_put_and_got_together(self, make_store: MakeStore) -> None:
        store = make_store()
        store.put("b/0", b"old")
        store.acquire("b/root", OWNER)
        values = {f"b/{number}": bytes([number % 256]) * number for number in range(1200)}
        values["b/large"] = bytes(3 * 2**20)
        store.put_all(values)
        store.put_all({})
        assert make_store().get_all(["b/none", *values, "b/root"]) == values
        assert store.get_all([]) == {}
        assert store.get("b/1199") == values["b/1199"]

    def test_added_values_do_not_replace_those_that_are_there(self, make_store: MakeStore) -> None:
        store = make_store()
        store.put("b", b"first")
        store.acquire("root", OWNER)
        assert store.add_all({"a": b"1", "b": b"2", "root": b"r", "empty": b""}) == {
            "a": b"1", "b": b"first", "root": b"r", "empty": b"",
        }  # fmt: skip
        assert make_store().add_all({"a": b"9", "root": b"9", "empty": b"9", "c": b"3"}) == {
            "a": b"1", "root": b"r", "empty": b"", "c": b"3",
        }  # fmt: skip
        assert store.add_all({}) == {}
        store.delete(["a"])
        assert store.add_all({"a": b"new"}) == {"a": b"new"}
        store.swap("root", OWNER, b"still ours")

    # Fenced values.

    def test_a_root_is_empty_until_the_first_swap(self, make_store: MakeStore) -> None:
        store = make_store()
        assert store.acquire("root", OWNER) is None
        store.swap("root", OWNER, b"state")
        assert store.acquire("root", NEWER) == b"state"
        assert store.get("root") == b"state"

    def test_acquire_and_swap_may_be_repeated(self, make_store: MakeStore) -> None:
        store = make_store()
        for _ in range(2):
            store.acquire("root", OWNER)
        for _ in range(2):
            store.put("blob", b"1")
            store.swap("root", OWNER, b"state", delete=["blob"])
            assert store.get("blob") is None
        assert store.acquire("root", OWNER) == b"state"

    @pytest.mark.parametrize("fence", OLDER)
    def test_an_older_fence_cannot_acquire(self, make_store: MakeStore, fence: Fence) -> None:
        store = make_store()
        store.acquire("root", OWNER)
        store.swap("root", OWNER, b"state")
        with pytest.raises(Fenced):
            store.acquire("root", fence)
        store.swap("root", OWNER, b"still the owner")
        assert store.get("root") == b"still the owner"

    @pytest.mark.parametrize("fence", NOT_OLDER)
    def test_a_newer_or_equal_fence_takes_over_and_the_older_is_refused(
        self, make_store: MakeStore, fence: Fence
    ) -> None:
        before, after = make_store(), make_store()
        before.acquire("root", OWNER)
        before.swap("root", OWNER, b"state")
        before.put("blob", b"1")
        assert after.acquire("root", fence) == b"state"
        with pytest.raises(Fenced):
            before.swap("root", OWNER, b"zombie", delete=["blob"])
        assert (after.get("root"), after.get("blob")) == (b"state", b"1")
        after.swap("root", fence, b"new", delete=["blob"])
        assert (before.get("root"), before.get("blob")) == (b"new", None)

    def test_of_two_owners_of_one_generation_the_last_to_acquire_is_the_owner(self, make_store: MakeStore) -> None:
        store, twin = make_store(), OWNER._replace(owner="twin")
        for owner, other in ((OWNER, twin), (twin, OWNER), (OWNER, twin)):
            store.acquire("root", other)
            store.acquire("root", owner)
            with pytest.raises(Fenced):
                store.swap("root", other, b"wrong")
            store.swap("root", owner, owner.owner.encode())
            assert store.get("root") == owner.owner.encode()

    @pytest.mark.parametrize("fence", [OLD, NEWER, OWNER._replace(owner="other"), OWNER._replace(incarnation=2)])
    def test_only_the_owner_itself_can_swap(self, make_store: MakeStore, fence: Fence) -> None:
        store = make_store()
        store.acquire("root", OWNER)
        store.swap("root", OWNER, b"state")
        store.put("blob", b"1")
        with pytest.raises(Fenced):
            store.swap("root", fence, b"wrong", delete=["blob"])
        assert (store.get("root"), store.get("blob")) == (b"state", b"1")

    def test_a_swap_without_acquire_is_fenced(self, make_store: MakeStore) -> None:
        store = make_store()
        with pytest.raises(Fenced):
            store.swap("root", OWNER, b"state")
        assert store.get("root") is None

    def test_numbers_are_compared_as_numbers(self, make_store: MakeStore) -> None:
        store = make_store()
        store.acquire("root", Fence(9, 9, "a"))
        store.acquire("root", Fence(9, 10, "a"))
        store.acquire("root", Fence(10, 2**40, "a"))
        with pytest.raises(Fenced):
            store.acquire("root", Fence(10, 9, "a"))

    def test_swap_deletes_plain_keys_whether_they_exist_or_not(self, make_store: MakeStore) -> None:
        store = make_store()
        store.acquire("root", OWNER)
        for key in ("blob/1", "blob/2", "blob/3"):
            store.put(key, b"1")
        store.swap("root", OWNER, b"state", delete=["blob/1", "never", "blob/3"])
        assert store.keys("") == ["blob/2", "root"]

    def test_roots_do_not_disturb_each_other(self, make_store: MakeStore) -> None:
        store = make_store()
        store.acquire("root/0", OWNER)
        store.acquire("root/1", OLD)
        store.swap("root/0", OWNER, b"0")
        store.swap("root/1", OLD, b"1")
        assert (store.get("root/0"), store.get("root/1")) == (b"0", b"1")

    # Several threads and processes.

    def test_of_many_owners_only_the_newest_ends_up_in_the_root(self, make_store: MakeStore, timeout_s: float) -> None:
        swapped: list[int] = []

        def write_as(generation: int, store: Store) -> None:
            fence = Fence(0, generation, f"owner{generation}")
            try:
                store.acquire("root", fence)
                for _ in range(5):
                    store.swap("root", fence, b"%d" % generation)
                swapped.append(generation)
            except Fenced:
                pass

        shared = make_store()
        threads = [threading.Thread(target=write_as, args=(n, shared if n % 2 else make_store())) for n in range(1, 17)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout_s)
        assert max(swapped) == 16
        assert shared.get("root") == b"16"

    def test_a_process_killed_at_any_moment_leaves_a_root_whose_blob_is_whole(
        self, make_store: MakeStore, opening: str, timeout_s: float
    ) -> None:
        store = make_store()
        for swaps in (1, 4, 15, 40):
            with worker(opening, "snapshots", f"root{swaps}") as writing:
                for _ in range(swaps):
                    writing.next_line(timeout_s)
                writing.kill()
                written = max([line[0] for line in writing.remaining_lines(timeout_s)], default=swaps)
            root = store.get(f"root{swaps}")
            assert root is not None
            assert int(root) >= written
            assert store.get(f"root{swaps}/blob/{int(root)}") == root * 1000
            # Older blobs are gone; a newer one, whose swap was cut off, may be there. As text 10 comes before 9.
            blobs = [int(key.rpartition("/")[2]) for key in store.keys(f"root{swaps}/blob/")]
            assert min(blobs) == int(root)

    # The end.

    def test_what_was_written_outlives_the_handle(self, make_store: MakeStore) -> None:
        store = make_store()
        store.put("k", b"1")
        store.acquire("root", OWNER)
        store.swap("root", OWNER, b"state")
        store.close()
        again = make_store()
        assert (again.get("k"), again.acquire("root", OWNER)) == (b"1", b"state")

    def test_after_close_every_call_raises(self, make_store: MakeStore) -> None:
        store = make_store()
        store.put("k", b"1")
        store.close()
        store.close()
        for call in (
            lambda: store.get("k"),
            lambda: store.put("k", b""),
            lambda: store.delete(["k"]),
            lambda: store.keys(""),
            lambda: store.acquire("root", OWNER),
            lambda: store.swap("root", OWNER, b""),
        ):
            with pytest.raises(StoreUnavailable):
                call()
