-- Finds many keys in one step. An error is returned as data: it does not count against the server. KEYS: the hash of
-- proofs. ARGV: proofs.
-- Returns {1, their entries, false where there is none}, or {0, the text of the error}.
local found = {}
for i = 1, #ARGV do
  local reply = redis.pcall('HGET', KEYS[1], ARGV[i])
  if type(reply) == 'table' and reply.err then
    return {0, reply.err}
  end
  found[i] = reply
end
return {1, found}
