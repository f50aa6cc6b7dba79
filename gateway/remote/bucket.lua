-- One decision for all windows of a claim, in one step. The same as decide() and carry() in gateway/kernel/bucket.py.
-- KEYS: one a window. ARGV: the cost, then for each window the price of a token and the time from empty to full, in us;
-- then, if the last of the windows are shadows, how many of them are enforced.
-- A key holds "<time at which its bucket is full again, us>:<price of a token when that was written, us>".
-- Returns {1 if allowed else 0, now, the buckets' times after the call, negated where a shadow would have refused it ...}.
-- Needs Redis 6.2 (PXAT) or later, or Valkey.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local call, match, ceil = redis.call, string.match, math.ceil
local keys, argv = KEYS, ARGV
local charge = argv[1] + 0
local over
local repaired = {}
local reply = {1, now}
for i = 1, #keys do
  local price, empty = argv[2 * i], now + argv[2 * i + 1]
  local tat = now
  local old, old_price = match(call('GET', keys[i]) or '', '^(%d+):(%d+)$')
  if old then
    tat = old + 0
    if tat < now then
      tat = now
    else
      if old_price ~= price then -- the limit was changed: as many tokens used as before
        tat = now + ceil((tat - now) / old_price * price)
        repaired[i] = true
      end
      if tat > empty then -- the clock went back, or the new limit is smaller than what was used of the old one
        tat = empty
        repaired[i] = true
      end
    end
  end
  if tat + charge * price > empty then
    if i <= tonumber(argv[2 * #keys + 2] or i) then
      reply[1] = 0
    else
      over = over or {}
      over[i] = true
    end
  end
  reply[i + 2] = tat
end
if reply[1] == 0 then
  charge, over = 0, nil
end
for i = 1, #keys do
  local shadowed = over and over[i]
  if (charge > 0 and not shadowed) or repaired[i] then
    local price = argv[2 * i]
    local tat = shadowed and reply[i + 2] or reply[i + 2] + charge * price
    reply[i + 2] = tat
    -- Expires a second after it says no more than its absence does. Absolute, so that replicas agree.
    call('SET', keys[i], string.format('%.0f:%s', tat, price), 'PXAT', ceil(tat / 1000) + 1000)
  end
  if shadowed then
    reply[i + 2] = -reply[i + 2]
  end
end
return reply
