-- One idempotency key. KEYS: its record. ARGV: what to do, and a token that only the call has which holds the record.
--   begin TOKEN RECORD MS    holds the record for that long, unless it is there already: then returns it
--   finish TOKEN RECORD MS   replaces the record that TOKEN holds
--   free TOKEN               removes the record that TOKEN holds
-- A record that is held begins with the token. Returns {} or {the record that is there}.
local record = redis.call('GET', KEYS[1])
if ARGV[1] == 'begin' then
  if record then
    return {record}
  end
  redis.call('SET', KEYS[1], ARGV[2] .. ARGV[3], 'PX', ARGV[4])
elseif record and string.sub(record, 1, #ARGV[2]) == ARGV[2] then
  if ARGV[1] == 'finish' then
    redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
  else
    redis.call('DEL', KEYS[1])
  end
end
return {}
