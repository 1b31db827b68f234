"""What the tests of a real Redis share: types of their fixtures, and a value that is stored in pieces."""

from collections.abc import Callable

from prequel.shared.store.base import Fence
from prequel.shared.store.redis.store import RedisStore
from prequel.shared.store.redis.values import PIECE_BYTES
from tests.servers.redis import Redis

FENCE = Fence(0, 1, "owner")
BIG_VALUE = bytes(range(256)) * (5 * PIECE_BYTES // 256) + b"odd"

StartRedis = Callable[..., Redis]
OpenStore = Callable[..., RedisStore]
