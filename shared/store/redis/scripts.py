"""The Lua scripts of the Redis store: what Redis does as one step, which no other client can come between."""

from collections.abc import Mapping

# How a key is stored. Its hash has one of these fields:
#   value     the value itself, where it is small;
#   pieces    ID:COUNT, where the value is in COUNT strings of their own, ID:1 to ID:COUNT.
# While a large value is being written it has, besides:
#   coming    ID:COUNT of the pieces that are being written. Whoever deletes or replaces the key finds them there, also
#             after a crash of the writer, and no piece is written once its name is gone from there: no piece is ever
#             left that nobody would delete.
# A root, which was acquired, has:
#   incarnation, generation, owner    its fence;
#   turn      the number of its owner's newest command. A client repeats a command whose answer did not come in time;
#             the first one may still arrive, behind later ones. `turn` then shows that it is late.
#
# KEYS[1] is always the hash. The scripts call each other's functions, which stand in _LIBRARY.

_LIBRARY = """
local function delete_pieces(pieces)
  if not pieces then return end
  local id, count = string.match(pieces, '^(.*):(%d+)$')
  for n = 1, tonumber(count) do redis.call('UNLINK', id .. ':' .. n) end
end
local function delete_key(key)
  local before = redis.call('HMGET', key, 'pieces', 'coming')
  redis.call('UNLINK', key)
  delete_pieces(before[1])
  if before[2] ~= before[1] then delete_pieces(before[2]) end
end
local function assign(key, field, content)
  local before = redis.call('HMGET', key, 'pieces', 'coming')
  if field == 'pieces' and before[1] ~= content and before[2] ~= content then return 'again' end
  redis.call('HSET', key, field, content)
  redis.call('HDEL', key, 'coming', field == 'value' and 'pieces' or 'value')
  if before[1] ~= content then delete_pieces(before[1]) end
  if before[2] ~= before[1] and before[2] ~= content then delete_pieces(before[2]) end
  return 'done'
end
"""

# ARGV: pieces. Announces the pieces that are about to be written, and deletes those of a writer that never finished.
# Pieces that are assigned already show that this command arrives for the second time: nothing to do.
_ANNOUNCE = (
    _LIBRARY
    + """
local before = redis.call('HMGET', KEYS[1], 'pieces', 'coming')
if before[1] == ARGV[1] then return end
redis.call('HSET', KEYS[1], 'coming', ARGV[1])
if before[2] ~= ARGV[1] and before[2] ~= before[1] then delete_pieces(before[2]) end
"""
)

# KEYS: the hash, the piece. ARGV: pieces, content. Answers done; or again, and writes nothing, where the pieces are not
# announced any more: nobody would delete this one.
_PIECE = """
if redis.call('HGET', KEYS[1], 'coming') ~= ARGV[1] then return 'again' end
redis.call('SET', KEYS[2], ARGV[2])
return 'done'
"""

# ARGV: field, content. Answers done; or again, where another writer of this key has deleted our pieces.
_PUT = _LIBRARY + "return assign(KEYS[1], ARGV[1], ARGV[2])"

# ARGV: the value, a small one. Sets it where the key has none, and answers the value that the key has now.
_ADD = (
    _LIBRARY
    + """
local known = redis.call('HGET', KEYS[1], 'value')
if known then return known end
assign(KEYS[1], 'value', ARGV[1])
return ARGV[1]
"""
)

# KEYS: hashes. Answers those that have a value: an interrupted put leaves one that only has `coming`.
_WITH_VALUES = """
local with_values = {}
for _, key in ipairs(KEYS) do
  if redis.call('HEXISTS', key, 'value') == 1 or redis.call('HEXISTS', key, 'pieces') == 1 then
    with_values[#with_values + 1] = key
  end
end
return with_values
"""

# KEYS: the keys to delete.
_DELETE = _LIBRARY + "for _, key in ipairs(KEYS) do delete_key(key) end"

# ARGV: incarnation, generation, owner, turn. Answers done or fenced. The numbers are compared as numbers: as text, 9
# would be newer than 10.
_ACQUIRE = """
local fence = redis.call('HMGET', KEYS[1], 'incarnation', 'generation')
if fence[1] then
  local incarnation, generation = tonumber(fence[1]), tonumber(fence[2])
  local new_incarnation, new_generation = tonumber(ARGV[1]), tonumber(ARGV[2])
  if incarnation > new_incarnation or (incarnation == new_incarnation and generation > new_generation) then
    return 'fenced'
  end
end
redis.call('HSET', KEYS[1], 'incarnation', ARGV[1], 'generation', ARGV[2], 'owner', ARGV[3], 'turn', ARGV[4])
return 'done'
"""

# KEYS: the root, the keys to delete. ARGV: incarnation, generation, owner, turn, field, content. Answers done, again,
# fenced, or late (which nobody waits for any more).
# 1. Compare the fence, then the turn: a late command of ours must not undo what came after it.
# 2. Set the value. Where its pieces were deleted, nothing has changed yet: the client writes them again.
# 3. Only now note the turn and delete: what the new root does not name any more is deleted in the same step.
_SWAP = (
    _LIBRARY
    + """
local fence = redis.call('HMGET', KEYS[1], 'incarnation', 'generation', 'owner', 'turn')
if fence[1] ~= ARGV[1] or fence[2] ~= ARGV[2] or fence[3] ~= ARGV[3] then return 'fenced' end
if tonumber(ARGV[4]) <= tonumber(fence[4]) then return 'late' end
local answer = assign(KEYS[1], ARGV[5], ARGV[6])
if answer ~= 'done' then return answer end
redis.call('HSET', KEYS[1], 'turn', ARGV[4])
for n = 2, #KEYS do delete_key(KEYS[n]) end
return answer
"""
)

SCRIPTS: Mapping[str, str] = {
    "announce": _ANNOUNCE,
    "piece": _PIECE,
    "put": _PUT,
    "add": _ADD,
    "with_values": _WITH_VALUES,
    "delete": _DELETE,
    "acquire": _ACQUIRE,
    "swap": _SWAP,
}
"""Name -> source. Each may be sent twice with the same arguments, and then changes nothing the second time."""
