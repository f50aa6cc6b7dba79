-- One decision for the windows of a claim and for the meters that it charges. After meters.lua, and after bucket.lua as the
-- function `windows(KEYS, ARGV)`, which is called at no cost when a meter is spent: then nothing is charged.
-- KEYS: those of bucket.lua, one for each meter, and a mark, kept for a while, that the call was counted, in case that its
-- gateway does not get the reply. ARGV: how many of bucket.lua's arguments there are, they themselves, for each
-- meter its max, 1 if it is monthly, in how many ms its units end (0: it is a tally), 1 if a call counts for one; then how long
-- the mark is kept, ms, and the unit.
-- Returns what bucket.lua does, then the month, and for each meter how much is used afterwards and when the first of its units ends.
local given = ARGV[1] + 0
local rates, own = {}, {}
for i = 1, given do
  rates[i] = ARGV[i + 1]
end
local meters = (#ARGV - given - 3) / 4
local first = #KEYS - meters - 1
for i = 1, first do
  own[i] = KEYS[i]
end
local used, months, spent = {}, {}, false
for i = 1, meters do
  local key, at = KEYS[first + i], given + 4 * i - 2
  if ARGV[at + 2] ~= '0' then
    used[i] = units(key)
  else
    used[i], months[i] = tally(key, ARGV[at + 1] == '1')
  end
  spent = spent or used[i] >= ARGV[at] + 0
end
if spent then
  rates[1] = 0
end
local reply = windows(own, rates)
if spent then
  reply[1] = 0
end
reply[#reply + 1] = this_month
for i = 1, meters do
  local key, at = KEYS[first + i], given + 4 * i - 2
  if reply[1] == 1 and ARGV[at + 3] == '1' then
    used[i] = used[i] + 1
    if months[i] then
      write(key, used[i], months[i])
      call('SET', KEYS[#KEYS], '', 'PX', ARGV[#ARGV - 1])
    else
      put(key, ARGV[#ARGV], ARGV[at + 2] + 0)
    end
  end
  local ends = reply[1] == 0 and not months[i] and call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] or 0
  reply[#reply + 1] = used[i]
  reply[#reply + 1] = ends + 0
end
return reply
