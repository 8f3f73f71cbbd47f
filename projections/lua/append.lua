-- Appends groups of events to a shard's stream: each group whole or not at all.
--
-- An event id is reserved together with the append, so that a retry finds where its event went before the archive knows.
-- A group that says something else under a reserved id changes nothing.
--
-- KEYS: stream, epoch, closed, then one reservation for each event
-- ARGV: lifetime of a reservation in ms, then for each group its number of events and the epoch that it is meant for (empty:
-- any), then for each event: body hash (hex), body
-- Returns false when the epoch is missing, 'closed' while the number of shards is being changed, else {epoch, group, ...}. A
-- group is {'ok', entry, duplicate, entry, ...} with duplicate 1 for an event that was there before, {'conflict', index, ...}
-- with 1-based indexes of events, or {'epoch'} when it is meant for another one.
local epoch = redis.call('GET', KEYS[2])
if not epoch then return false end
if redis.call('EXISTS', KEYS[3]) == 1 then return 'closed' end
local reply = { epoch }
local key, arg = 3, 2
while arg <= #ARGV do
  local count, meant = tonumber(ARGV[arg]), ARGV[arg + 1]
  arg = arg + 1
  local found, conflicts = {}, {}
  for i = 1, count do
    local held = redis.call('GET', KEYS[key + i])
    if held then
      local hash, entry = string.match(held, '^(%S+) (%S+)$')
      if hash ~= ARGV[arg + 2 * i - 1] then conflicts[#conflicts + 1] = i end
      found[i] = entry
    end
  end
  if meant ~= '' and meant ~= epoch then
    reply[#reply + 1] = { 'epoch' }
  elseif #conflicts > 0 then
    table.insert(conflicts, 1, 'conflict')
    reply[#reply + 1] = conflicts
  else
    local group = { 'ok' }
    for i = 1, count do
      local hash, body = ARGV[arg + 2 * i - 1], ARGV[arg + 2 * i]
      local entry = found[i]
      if not entry then
        entry = redis.call('XADD', KEYS[1], '*', 'event', body)
        redis.call('SET', KEYS[key + i], hash .. ' ' .. entry, 'PX', ARGV[1])
      end
      group[#group + 1] = entry
      group[#group + 1] = found[i] and 1 or 0
    end
    reply[#reply + 1] = group
  end
  key = key + count
  arg = arg + 1 + 2 * count
end
return reply
