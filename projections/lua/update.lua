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
  local lines, at = {}, 1
  while at <= #data do lines[#lines + 1], at = struct.unpack('>Hc0', data, at) end
  return lines
end

local function length_of(prefix) return string.char(math.floor(#prefix / 256), #prefix % 256) end

local lines = unpacked(ARGV[5])
local count = #lines / 3
local players = {}
for i = 1, count do players[i] = lines[3 * i - 2] end
local old = count > 0 and redis.call('HMGET', KEYS[2], unpack(players)) or {}
local gone, add, set, left, del = {}, {}, {}, {}, {}
for i = 1, count do
  local player, prefix, extra = players[i], lines[3 * i - 1], lines[3 * i]
  local was = old[i]
  local before = was and string.sub(was, 3, 2 + string.byte(was, 1) * 256 + string.byte(was, 2))
  if before and before ~= prefix then
    gone[#gone + 1] = before .. player .. string.sub(was, 1, 2)
    left[#left + 1] = before
  end
  local length = length_of(prefix)
  if prefix == '' then
    if was then del[#del + 1] = player end
  else
    if before ~= prefix then
      add[#add + 1] = 0
      add[#add + 1] = prefix .. player .. length
    end
    set[#set + 1] = player
    set[#set + 1] = length .. prefix .. extra
  end
end
if #gone > 0 then redis.call('ZREM', KEYS[1], unpack(gone)) end
if #add > 0 then redis.call('ZADD', KEYS[1], unpack(add)) end
if #del > 0 then redis.call('HDEL', KEYS[2], unpack(del)) end
if ARGV[6] ~= '' then
  local veiled = unpacked(ARGV[6])
  for i = 1, #veiled, 3 do
    local player, prefix, extra = veiled[i], veiled[i + 1], veiled[i + 2]
    if prefix == '' then
      redis.call('HDEL', KEYS[4], player)
    else
      redis.call('HSET', KEYS[4], player, length_of(prefix) .. prefix .. extra)
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
    local prefix = lines[3 * i - 1]
    if prefix ~= '' then redis.call('ZADD', KEYS[3], 0, prefix) end
  end
end
return 'ok'
