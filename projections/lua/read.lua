-- Answers many look-ups in one ranking in one call.
--
-- KEYS: members (sorted set), places (hash), distinct (sorted set of prefixes; dense ranks only), hidden (hash)
-- ARGV: dense (1 or 0), values (1: also give the hash's values of a window's members), shared (how the prefixes end that several
-- can have; empty: all), then as MessagePack an array of two: the ids of players whose places alone are asked for, and the other
-- look-ups, an array of arrays, each one of
--   'player', id, around      his place, and the window of so many entries on each side of him; of a hidden player the place
--                             that he would have, and the window of the others
--   'guest', member, around   the same for somebody in another part of the ranking, as if he were hidden here
--   'top', 0, limit           the first entries
--   'after', member, limit    the entries behind a member (which need not be there any more)
--   'before', member, limit   the entries in front of it
--   'at', ordinal, limit      the entries from a 0-based ordinal on
-- Returns false when the ranking is not there (or was partly evicted), else {version, total, {value, ...}, places, answer, ...}.
-- The values are those of the players whose places alone are asked for, nil where there is no such player. Their places are one
-- string of MessagePack, an array that has for each his ordinal, if that tells all (nobody else can have his prefix, and ranks are
-- not dense), else an array of ordinal, ahead, tied, dense and hidden (1 or 0); false for no player. Many ask for many at once, so Lua makes as little as can be of each.
-- A player's answer with entries around him is false, or {place, window}: place is one string of these five, four bytes each,
-- big-endian, then value. One string costs all who touch it less than seven answers. A guest's without entries is place alone.
-- Value is two bytes length, prefix, extra; ahead counts those with a smaller prefix, tied those with the same (himself
-- included), dense is the 0-based index of his prefix among the distinct ones (0 unless asked for).
-- A window is {first, {members}, ahead, dense, through, {values}}: first is the ordinal of its first entry, ahead and dense
-- are of the first entry's prefix, through counts the members up to and with the last entry's prefix.
local call, byte, sub = redis.call, string.byte, string.sub
local version = redis.call('HGET', KEYS[2], '')
local total = redis.call('ZCARD', KEYS[1])
local dense, values, shared = ARGV[1] == '1', ARGV[2] == '1', ARGV[3]
local hidden = 0
local mark = version and string.find(version, '#', 1, true)
if mark then
  hidden = tonumber(string.sub(version, mark + 1))
  version = string.sub(version, 1, mark - 1)
  if redis.call('HLEN', KEYS[4]) ~= hidden then return false end
end
if not version or total ~= redis.call('HLEN', KEYS[2]) - 1 then return false end
if dense and total > 0 and redis.call('EXISTS', KEYS[3]) == 0 then return false end

local function split(member)
  local length = string.byte(member, -2) * 256 + string.byte(member, -1)
  return string.sub(member, 1, length), string.sub(member, length + 1, -3)
end

local function ahead_of(prefix) return redis.call('ZLEXCOUNT', KEYS[1], '-', '(' .. prefix) end

local function through(prefix) return redis.call('ZLEXCOUNT', KEYS[1], '-', '(' .. prefix .. '\255') end

local function dense_of(prefix) return dense and redis.call('ZRANK', KEYS[3], prefix) or 0 end

-- The members with these ordinals, and those in front of and behind them. Who is level with a neighbour has to be counted;
-- of everybody else the ordinal tells all, which spares most look-ups the dearest of their calls.
local function stretch(first, last)
  local start = first > 0 and first - 1 or 0
  -- Redis would write a number that it is given with 17 digits at length.
  local found = redis.call('ZRANGE', KEYS[1], string.format('%d', start), string.format('%d', last + 1))
  local from, to = first - start + 1, math.min(#found, last - start + 1)
  return { unpack(found, from, to) }, found[from - 1], found[to + 1]
end

-- How many are in front of the first one with this prefix, if he has this ordinal and `before` is right in front of him.
local function ahead_at(ordinal, prefix, before)
  if before and split(before) == prefix then return ahead_of(prefix) end
  return ordinal
end

-- How many there are up to and with the last one with this prefix, if he has this ordinal and `behind` is right behind him.
local function through_at(ordinal, prefix, behind)
  if behind and split(behind) == prefix then return through(prefix) end
  return ordinal + 1
end

local function shown(first, members, before, behind)
  if #members == 0 then return { first, members, first, 0, first, {} } end
  local head, tail = split(members[1]), split(members[#members])
  local found = {}
  if values then
    local players = {}
    for i, member in ipairs(members) do
      local _, player = split(member)
      players[i] = player
    end
    found = redis.call('HMGET', KEYS[2], unpack(players))
  end
  local last = first + #members - 1
  return {
    first, members, ahead_at(first, head, before), dense_of(head), through_at(last, tail, behind), found,
  }
end

local function window(first, limit)
  if limit <= 0 then return shown(first, {}) end
  return shown(first, stretch(first, first + limit - 1))
end

local function prefix_of(value)
  local high, low = byte(value, 1, 2)
  return sub(value, 3, 2 + high * 256 + low)
end

-- {ordinal, ahead, tied, dense, hidden} of a member with this prefix, and the window of so many entries on each side of him.
local function shown_place(ordinal, prefix, number)
  local first = math.max(0, ordinal - number)
  local members, before, behind = stretch(first, ordinal + number)
  local own = ordinal - first + 1
  local ahead = ahead_at(ordinal, prefix, members[own - 1] or before)
  local tied = through_at(ordinal, prefix, members[own + 1] or behind) - ahead
  return { ordinal, ahead, tied, dense_of(prefix), 0 }, number > 0 and shown(first, members, before, behind)
end

-- The same for somebody who is not among the members: the place that he would have.
local function absent_place(player, value, number)
  local prefix = prefix_of(value)
  local ordinal = redis.call('ZLEXCOUNT', KEYS[1], '-', '(' .. prefix .. player .. sub(value, 1, 2))
  local first = math.max(0, ordinal - number)
  local members, before, behind = stretch(first, ordinal + number - 1)
  local front = ordinal - first
  local ahead = ahead_at(ordinal, prefix, members[front] or before)
  local tied = through_at(ordinal - 1, prefix, members[front + 1] or behind) - ahead + 1
  local level = dense and redis.call('ZLEXCOUNT', KEYS[3], '-', '(' .. prefix) or 0
  return { ordinal, ahead, tied, level, 1 }, number > 0 and shown(first, members, before, behind)
end

local function hidden_value(player) return hidden > 0 and player ~= '' and redis.call('HGET', KEYS[4], player) end

-- The values and the places of players.
local function places_of(players)
  if #players == 0 then return {}, {} end
  local found, values, key = {}, call('HMGET', KEYS[2], unpack(players)), KEYS[1]
  local unlike, start = byte(shared, 1), 3 - #shared
  for i = 1, #players do
    local player, value = players[i], values[i]
    if player == '' then value, values[i] = false, false end
    if value then
      local high, low = byte(value, 1, 2)
      local size = high * 256 + low
      local prefix = sub(value, 3, 2 + size)
      local ordinal = call('ZRANK', key, prefix .. player .. sub(value, 1, 2))
      -- Nobody else can have a prefix that ends otherwise.
      local alone = unlike and (byte(value, start + size) ~= unlike or sub(prefix, -#shared) ~= shared)
      found[i] = not alone and (shown_place(ordinal, prefix, 0))
        or dense and { ordinal, ordinal, 1, dense_of(prefix), 0 } or ordinal
    else
      value = hidden_value(player)
      found[i], values[i] = value and (absent_place(player, value, 0)), value
    end
  end
  return values, found
end

local asked = cmsgpack.unpack(ARGV[4])
local players, lookups = asked[1], asked[2]

local function answer_of(value, place, window)
  local packed = struct.pack('>I4I4I4I4I4', unpack(place)) .. value
  return window and { packed, window } or packed
end

local function answer_to(kind, what, number)
  if kind == 'player' then
    local value = what ~= '' and redis.call('HGET', KEYS[2], what)
    if value then
      local prefix = prefix_of(value)
      local ordinal = redis.call('ZRANK', KEYS[1], prefix .. what .. sub(value, 1, 2))
      return answer_of(value, shown_place(ordinal, prefix, number))
    end
    value = hidden_value(what)
    return value and answer_of(value, absent_place(what, value, number))
  end
  if kind == 'guest' then
    local prefix, player = split(what)
    local value = sub(what, -2) .. prefix
    return answer_of(value, absent_place(player, value, number))
  end
  if kind == 'top' then return window(0, number) end
  if kind == 'at' then return window(what, number) end
  if kind == 'after' then return window(redis.call('ZLEXCOUNT', KEYS[1], '-', '[' .. what), number) end
  local ahead = redis.call('ZLEXCOUNT', KEYS[1], '-', '(' .. what)
  local first = math.max(0, ahead - number)
  return window(first, ahead - first)
end

local held, places = places_of(players)
local reply = { version, total, held, cmsgpack.pack(places) }
for i, lookup in ipairs(lookups) do reply[i + 4] = answer_to(lookup[1], lookup[2], lookup[3]) end
return reply
