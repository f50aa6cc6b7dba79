-- Reads meters at no cost. After meters.lua. KEYS: theirs. ARGV: for each 0 if it is a tally for ever, 1 if it is one of
-- a month, 2 if it is a set of units.
-- Returns the month and the time, ms, and for each meter how much is used and when the first of its units ends, ms.
local reply = {this_month, now}
for i = 1, #KEYS do
  local used, ends = 0, 0
  if ARGV[i] == '2' then
    used = units(KEYS[i])
    ends = call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2] or 0
  else
    used = tally(KEYS[i], ARGV[i] == '1')
  end
  reply[#reply + 1] = used
  reply[#reply + 1] = ends + 0
end
return reply
