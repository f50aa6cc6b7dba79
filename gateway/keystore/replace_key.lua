-- Puts a key in the place of the one that was read, if that is still there, and records it in the audit trail. An error is
-- returned as data: it does not count against the server. The record comes first: without the right to write it nothing
-- else is written.
-- KEYS: proofs, ids, changes, audit.
-- ARGV: the id, the content before and after, the entry of the list of changes and its length, the channel, the record and
-- the length of the trail, the number of proofs that end, these, and pairs of a proof and its entry.
-- Returns {1, 1}, {1, 0} where the key has changed, or {0, the text of the error}.
local function replace()
  if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then
    return 0
  end
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[8], '*', 'record', ARGV[7])
  local ended = tonumber(ARGV[9])
  for i = 10, 9 + ended do
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
  for i = 10 + ended, #ARGV, 2 do
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
  redis.call('LPUSH', KEYS[3], ARGV[4])
  redis.call('LTRIM', KEYS[3], 0, tonumber(ARGV[5]) - 1)
  redis.call('PUBLISH', ARGV[6], '')
  return 1
end
local done, result = pcall(replace)
if done then
  return {1, result}
end
return {0, type(result) == 'table' and result.err or tostring(result)}
