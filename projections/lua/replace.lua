-- Puts a ranking that was built beside the present one in its place, in one step.
--
-- KEYS: the four built keys (members, places, distinct, hidden), then the four present ones
-- ARGV: force (1: whatever the present one shows; 0: only if that is not newer), and for how many seconds it stays, if not
-- for good
-- Returns false when it was replaced, else the version of the present one, which is newer.
local function version(key)
  return tonumber(string.match(redis.call('HGET', key, '') or '-1', '^%-?%d+'))
end
local present = version(KEYS[6])
if ARGV[1] ~= '1' and present > version(KEYS[2]) then
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
  return present
end
for i = 1, 4 do
  redis.call('DEL', KEYS[4 + i])
  if redis.call('EXISTS', KEYS[i]) == 1 then
    redis.call('RENAME', KEYS[i], KEYS[4 + i])
    if ARGV[2] then
      redis.call('EXPIRE', KEYS[4 + i], ARGV[2])
    else
      redis.call('PERSIST', KEYS[4 + i])
    end
  end
end
return false
