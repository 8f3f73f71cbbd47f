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
-- A player's answer is false or {value, ordinal, ahead, tied, dense, window or false, hidden (1 or 0)}: value is two bytes
-- length, prefix, extra; ahead counts those with a smaller prefix, tied those with the same (himself included), dense is
-- the 0-based index of his prefix among the distinct ones (-1 unless asked for).
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

local function dense_of(prefix) return dense and redis.call('ZRANK', KEYS[3], prefix) or -1 end

local function window(first, limit)
  local members = limit > 0 and redis.call('ZRANGE', KEYS[1], first, first + limit - 1) or {}
  if #members == 0 then return { first, members, first, -1, first, {} } end
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
  return { first, members, first == 0 and 0 or ahead_of(head), dense_of(head), through(tail), found }
end

local function hidden_place(player, value, number)
  local length = string.sub(value, 1, 2)
  local prefix = string.sub(value, 3, 2 + string.byte(value, 1) * 256 + string.byte(value, 2))
  local ordinal = redis.call('ZLEXCOUNT', KEYS[1], '-', '(' .. prefix .. player .. length)
  local ahead = ahead_of(prefix)
  local around = false
  if number > 0 then
    local first = math.max(0, ordinal - number)
    around = window(first, ordinal + number - first)
  end
  local level = dense and redis.call('ZLEXCOUNT', KEYS[3], '-', '(' .. prefix) or -1
  return { value, ordinal, ahead, through(prefix) - ahead + 1, level, around, 1 }
end

local reply = { version, total }
for i = 3, #ARGV, 3 do
  local kind, what, number = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local answer = false
  if kind == 'player' then
    local value = what ~= '' and redis.call('HGET', KEYS[2], what)
    if value then
      local prefix = string.sub(value, 3, 2 + string.byte(value, 1) * 256 + string.byte(value, 2))
      local ordinal = redis.call('ZRANK', KEYS[1], prefix .. what .. string.sub(value, 1, 2))
      local ahead = ahead_of(prefix)
      local around = false
      if number > 0 then
        local first = math.max(0, ordinal - number)
        around = window(first, ordinal + number - first + 1)
      end
      answer = { value, ordinal, ahead, through(prefix) - ahead, dense_of(prefix), around, 0 }
    elseif hidden > 0 and what ~= '' then
      value = redis.call('HGET', KEYS[4], what)
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
