-- Appends groups of events to a shard's stream: each group whole or not at all.
--
-- An event id is reserved together with the append, so that a retry finds where its event went before the archive knows.
-- A group that says something else under a reserved id changes nothing.
--
-- KEYS: stream, epoch, closed. The reservations' keys are in the second argument, with the same hash tag.
-- ARGV: lifetime of a reservation in ms, and packed into one string (a small argument costs the caller more than its bytes)
-- for each group its number of events in two bytes and the epoch that it is meant for in four (0: any), and for each event the
-- key of its reservation (two bytes of length before it), 16 bytes of body hash in hex, and its body (four bytes of length).
-- Returns false when the epoch is missing, 'closed' while the number of shards is being changed, else {epoch, answer, ...} with
-- an answer for each event: its entry, or its entry behind '=' when it was there before; '!' when its id stands for something
-- else, '-' when it is not appended because of another one of its group, '@' when it is meant for another epoch.
local epoch = redis.call('GET', KEYS[2])
if not epoch then return false end
if redis.call('EXISTS', KEYS[3]) == 1 then return 'closed' end
local call, take, data = redis.call, struct.unpack, ARGV[2]
local reply, at = { epoch }, 1
while at <= #data do
  local count, meant
  count, meant, at = take('>HI4', data, at)
  local keys, hashes, bodies, found = {}, {}, {}, {}
  for i = 1, count do
    keys[i], hashes[i], bodies[i], at = take('>Hc0c16I4c0', data, at)
  end
  local conflicts = false
  for i = 1, count do
    local held = call('GET', keys[i])
    if held then
      local hash, entry = string.match(held, '^(%S+) (%S+)$')
      found[i] = hash == hashes[i] and '=' .. entry or '!'
      conflicts = conflicts or hash ~= hashes[i]
    end
  end
  for i = 1, count do
    local answer = found[i]
    if meant > 0 and meant ~= tonumber(epoch) then
      answer = '@'
    elseif conflicts then
      answer = answer == '!' and answer or '-'
    elseif not answer then
      answer = call('XADD', KEYS[1], '*', 'event', bodies[i])
      call('SET', keys[i], hashes[i] .. ' ' .. answer, 'PX', ARGV[1])
    end
    reply[#reply + 1] = answer
  end
end
return reply
