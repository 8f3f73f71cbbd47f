-- Moves one ranking from one version to the next, or tells why not. One call carries at most 1,000 members; the last
-- call of an update says so, and only then the version changes. Applying a call twice does no harm.
--
-- A member is prefix, player id, and the prefix's length in two bytes: ids hold no byte below 32 and no prefix is longer
-- than 8,191 bytes, so the tail never changes the order, and whoever reads a member can split it.
--
-- KEYS: members (sorted set), places (hash), distinct (sorted set of prefixes; dense ranks only), hidden (hash: the places
-- that hidden players would have)
-- ARGV: from, to, last (1 or 0), dense (1 or 0), and packed into one string player, prefix, extra for each member, each
-- with two bytes of length before it; an empty prefix removes the player. One packed argument costs the caller far less
-- than thousands of small ones. Then the same for hidden places.
-- The version stands in the places under the empty name; behind it, after a #, how many hidden places there are, if any.
-- Returns 'ok', 'stale' (the ranking is at `to` or beyond) or 'gap' (it is not at `from`: rebuild it).
local from, to = ARGV[1], ARGV[2]
local last, dense = ARGV[3] == '1', ARGV[4] == '1'
local present, hidden = redis.call('HGET', KEYS[2], ''), 0
if present then
  local mark = string.find(present, '#', 1, true)
  if mark then present, hidden = string.sub(present, 1, mark - 1), tonumber(string.sub(present, mark + 1)) end
end
local pending = from .. '>' .. to
if present then
  if present ~= from and present ~= pending then
    local at = tonumber(string.match(present, '^%d+'))
    if at and at >= tonumber(to) then return 'stale' end
    return 'gap'
  end
elseif from ~= '0' then
  return 'gap'
end
local total = redis.call('ZCARD', KEYS[1])
if total ~= math.max(redis.call('HLEN', KEYS[2]) - 1, 0) then return 'gap' end
if dense and total > 0 and redis.call('EXISTS', KEYS[3]) == 0 then return 'gap' end
if redis.call('HLEN', KEYS[4]) ~= hidden then return 'gap' end

local function unpacked(data)
  local players, prefixes, extras = {}, {}, {}
  local count, at = 0, 1
  while at <= #data do
    count = count + 1
    players[count], prefixes[count], extras[count], at = struct.unpack('>Hc0Hc0Hc0', data, at)
  end
  return count, players, prefixes, extras
end

local function length_of(prefix) return struct.pack('>H', #prefix) end

local count, players, prefixes, extras = unpacked(ARGV[5])
local old = count > 0 and redis.call('HMGET', KEYS[2], unpack(players)) or {}
local gone, add, set, left, del = {}, {}, {}, {}, {}
local length, size = nil, -1
for i = 1, count do
  local player, prefix, was = players[i], prefixes[i], old[i]
  if #prefix ~= size then length, size = length_of(prefix), #prefix end
  local before = was and struct.unpack('>Hc0', was)
  if before and before ~= prefix then
    gone[#gone + 1] = before .. player .. (#before == size and length or length_of(before))
    left[#left + 1] = before
  end
  if size == 0 then
    if was then del[#del + 1] = player end
  else
    if before ~= prefix then
      add[#add + 1] = '0'
      add[#add + 1] = prefix .. player .. length
    end
    set[#set + 1] = player
    set[#set + 1] = length .. prefix .. extras[i]
  end
end
if #gone > 0 then redis.call('ZREM', KEYS[1], unpack(gone)) end
if #add > 0 then redis.call('ZADD', KEYS[1], unpack(add)) end
if #del > 0 then redis.call('HDEL', KEYS[2], unpack(del)) end
if ARGV[6] ~= '' then
  local veiled, those, places, others = unpacked(ARGV[6])
  for i = 1, veiled do
    if places[i] == '' then
      redis.call('HDEL', KEYS[4], those[i])
    else
      redis.call('HSET', KEYS[4], those[i], length_of(places[i]) .. places[i] .. others[i])
    end
  end
  hidden = redis.call('HLEN', KEYS[4])
end
set[#set + 1] = ''
set[#set + 1] = (last and to or pending) .. (hidden > 0 and '#' .. hidden or '')
redis.call('HSET', KEYS[2], unpack(set))
if dense then
  for _, prefix in ipairs(left) do
    if redis.call('ZLEXCOUNT', KEYS[1], '[' .. prefix, '(' .. prefix .. '\255') == 0 then
      redis.call('ZREM', KEYS[3], prefix)
    end
  end
  for i = 1, count do
    if prefixes[i] ~= '' then redis.call('ZADD', KEYS[3], 0, prefixes[i]) end
  end
end
return 'ok'
