-- Does one command. An error is returned as data: it does not count against the server. KEYS: its key. ARGV: its name, and
-- what follows
-- the key in it. Returns {1, its reply}, or {0, the text of its error}.
local reply = redis.pcall(ARGV[1], KEYS[1], unpack(ARGV, 2))
if type(reply) == 'table' and reply.err then
  return {0, reply.err}
end
return {1, reply}
