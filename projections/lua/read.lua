-- Answers many look-ups in one ranking in one call.
--
-- KEYS: members (sorted set), places (hash), distinct (sorted set of prefixes; dense ranks only), hidden (hash)
-- ARGV: dense (1 or 0), values (1: also give the hash's values of a window's members), then three for each look-up:
--   'player', id, around      his place, and the window of so many entries on each side of him (0: none); of a hidden
--                             player the place that he would have, and the window of the others
--   'top', 0, limit           the first entries
--   'after', member, limit    the entries behind a member (which need not be there any more)
--   'before', member, limit   the entries in front of it
--   'at', ordinal, limit      the entries from a 0-based ordinal on
-- Returns false when the ranking is not there (or was partly evicted), else {version, total, answer, ...}.
-- A player's answer is false, or one string: ordinal, ahead, tied, dense and hidden (1 or 0), four bytes each, big-endian,
-- then value. With entries around him it is {that string, window}. One string costs all who touch it less than seven answers.
-- Value is two bytes length, prefix, extra; ahead counts those with a smaller prefix, tied those with the same (himself
-- included), dense is the 0-based index of his prefix among the distinct ones (0 unless asked for).
-- A window is {first, {members}, ahead, dense, through, {values}}: first is the ordinal of its first entry, ahead and dense
-- are of the first entry's prefix, through counts the members up to and with the last entry's prefix.
local version = redis.call('HGET', KEYS[2], '')
local total = redis.call('ZCARD', KEYS[1])
local dense, values = ARGV[1] == '1', ARGV[2] == '1'
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
  local members = redis.call('ZRANGE', KEYS[1], string.format('%d', start), string.format('%d', last + 1))
  local before = first > start and table.remove(members, 1) or nil
  local behind = #members > last - first + 1 and table.remove(members) or nil
  return members, before, behind
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

local function place(value, ordinal, ahead, tied, level, hidden)
  return struct.pack('>I4I4I4I4I4', ordinal, ahead, tied, level, hidden) .. value
end

local function prefix_of(value)
  return string.sub(value, 3, 2 + string.byte(value, 1) * 256 + string.byte(value, 2))
end

local function shown_place(player, value, number)
  local prefix = prefix_of(value)
  local ordinal = redis.call('ZRANK', KEYS[1], prefix .. player .. string.sub(value, 1, 2))
  local first = math.max(0, ordinal - number)
  local members, before, behind = stretch(first, ordinal + number)
  local own = ordinal - first + 1
  local ahead = ahead_at(ordinal, prefix, members[own - 1] or before)
  local tied = through_at(ordinal, prefix, members[own + 1] or behind) - ahead
  local answer = place(value, ordinal, ahead, tied, dense_of(prefix), 0)
  return number > 0 and { answer, shown(first, members, before, behind) } or answer
end

local function hidden_place(player, value, number)
  local prefix = prefix_of(value)
  local ordinal = redis.call('ZLEXCOUNT', KEYS[1], '-', '(' .. prefix .. player .. string.sub(value, 1, 2))
  local first, ahead = math.max(0, ordinal - number), ahead_of(prefix)
  local level = dense and redis.call('ZLEXCOUNT', KEYS[3], '-', '(' .. prefix) or 0
  local answer = place(value, ordinal, ahead, through(prefix) - ahead + 1, level, 1)
  return number > 0 and { answer, window(first, ordinal + number - first) } or answer
end

local known = {}
local asked, at = {}, {}
for i = 3, #ARGV, 3 do
  if ARGV[i] == 'player' and ARGV[i + 1] ~= '' then
    asked[#asked + 1] = ARGV[i + 1]
    at[#at + 1] = i
  end
end
if #asked > 0 then
  for number, value in ipairs(redis.call('HMGET', KEYS[2], unpack(asked))) do known[at[number]] = value end
end

local reply = { version, total }
for i = 3, #ARGV, 3 do
  local kind, what, number = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local answer = false
  if kind == 'player' then
    if known[i] then
      answer = shown_place(what, known[i], number)
    elseif hidden > 0 and what ~= '' then
      local value = redis.call('HGET', KEYS[4], what)
      if value then answer = hidden_place(what, value, number) end
    end
  elseif kind == 'top' then
    answer = window(0, number)
  elseif kind == 'after' then
    answer = window(redis.call('ZLEXCOUNT', KEYS[1], '-', '[' .. what), number)
  elseif kind == 'before' then
    local ahead = redis.call('ZLEXCOUNT', KEYS[1], '-', '(' .. what)
    local first = math.max(0, ahead - number)
    answer = window(first, ahead - first)
  else
    answer = window(tonumber(what), number)
  end
  reply[#reply + 1] = answer
end
return reply
