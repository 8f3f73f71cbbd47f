-- A stretch of one ranking, in one call.
--
-- KEYS: members, places, distinct
-- ARGV: style, limit, with values (1 or 0), cursor kind ('' from the top, 'after' or 'before' a member, 'at' an ordinal), cursor
-- Returns false when the ranking is not there (or was partly evicted), else
-- {version, total, ordinal of the first (0-based), rank of the first, {members...}, {values...}}; values is empty unless
-- asked for. The ranks of the others follow from the prefixes, see projections/places.py.
local version = redis.call('HGET', KEYS[2], '')
local total = redis.call('ZCARD', KEYS[1])
if not version or total ~= redis.call('HLEN', KEYS[2]) - 1 then return false end
local style, limit = ARGV[1], tonumber(ARGV[2])
local first = 0
if ARGV[4] == 'after' then
  first = redis.call('ZLEXCOUNT', KEYS[1], '-', '[' .. ARGV[5])
elseif ARGV[4] == 'before' then
  local ahead = redis.call('ZLEXCOUNT', KEYS[1], '-', '(' .. ARGV[5])
  first = math.max(0, ahead - limit)
  limit = math.min(limit, ahead)
elseif ARGV[4] == 'at' then
  first = tonumber(ARGV[5])
end
local members = limit > 0 and redis.call('ZRANGE', KEYS[1], first, first + limit - 1) or {}
return { version, total, first, members }
