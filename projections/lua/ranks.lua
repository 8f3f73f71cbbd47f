-- The places of many players in one ranking, in one call.
--
-- KEYS: members, places, distinct
-- ARGV: style (competition, dense, ordinal, modified), around (entries on each side; 0 for none), then the players.
-- Returns false when the ranking is not there (or was partly evicted), else
-- {version, total, then for each player false or {value, ordinal (0-based), rank (1-based), tied, first, {members...}}}
-- where value is the hash's: two bytes length, prefix, extra; tied counts those with the same prefix, himself included;
-- first is the 0-based ordinal of the first of the members around him.
local version = redis.call('HGET', KEYS[2], '')
local total = redis.call('ZCARD', KEYS[1])
if not version or total ~= redis.call('HLEN', KEYS[2]) - 1 then return false end
local style, around = ARGV[1], tonumber(ARGV[2])
local reply = { version, total }
for i = 3, #ARGV do
  local value = redis.call('HGET', KEYS[2], ARGV[i])
  if ARGV[i] == '' or not value then
    reply[i] = false
  else
    local prefix = string.sub(value, 3, 2 + string.byte(value, 1) * 256 + string.byte(value, 2))
    local ordinal = redis.call('ZRANK', KEYS[1], prefix .. ARGV[i])
    local ahead = redis.call('ZLEXCOUNT', KEYS[1], '-', '(' .. prefix)
    local tied = redis.call('ZLEXCOUNT', KEYS[1], '[' .. prefix, '(' .. prefix .. '\255')
    local rank = ahead + 1
    if style == 'ordinal' then rank = ordinal + 1
    elseif style == 'modified' then rank = ahead + tied
    elseif style == 'dense' then rank = redis.call('ZRANK', KEYS[3], prefix) + 1 end
    local first, members = ordinal, {}
    if around > 0 then
      first = math.max(0, ordinal - around)
      members = redis.call('ZRANGE', KEYS[1], first, ordinal + around)
    end
    reply[i] = { value, ordinal, rank, tied, first, members }
  end
end
return reply
