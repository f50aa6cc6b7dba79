-- One decision for all windows of a claim, in one step. The same as decide() and carry() in gateway/kernel/limits/token_bucket.py.
-- KEYS: one a window. ARGV: the cost, then for each window the price of a token and the time from empty to full, in us;
-- then, if the last of the windows are shadows, how many of them are enforced.
-- A key holds "<time at which its bucket is full again, us>:<price of a token, us>".
-- While gateways disagree about a limit (a change is rolled out) it holds one bucket for each version of the limit, the last
-- writer's first: "<time>:<price>:<from empty to full, 0 if not known>:<until when the version is kept>,...". A call is charged
-- to all of them and decided by that of its own version, and a gateway changes nothing else about the others.
-- Returns {1 if allowed else 0, now, the buckets' times after the call ..., the numbers of the shadows that would have
-- refused it ...}.
-- Needs Redis 6.2 (PXAT) or later, or Valkey.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local call, match, ceil = redis.call, string.match, math.ceil
local keys, argv = KEYS, ARGV
local charge = argv[1] + 0
local over, others, changed
local reply = {1, now}
for i = 1, #keys do
  local price, empty = argv[2 * i], now + argv[2 * i + 1]
  local tat = now
  local value = call('GET', keys[i])
  if value then
    local old, old_price = match(value, '^(%d+):(%d+)$')
    if old and old_price == price and old + 0 <= empty then
      tat = old + 0
      if tat < now then
        tat = now
      end
    else -- another version of the limit was here, or the clock went back
      local full, own, kept, used = argv[2 * i + 1], nil, nil, 0
      local versions = {}
      if old then
        value = string.format('%s:%s:0:%.0f', old, old_price, math.max(old + 0, empty))
      end
      for at, its_price, its_full, till in string.gmatch(value, '(%d+):(%d+):(%d+):(%d+)') do
        at = at + 0
        if not own and its_price == price and (its_full == full or (its_full == '0' and at <= empty)) then
          own, kept = at, till + 0
        elseif at > now and till + 0 > now and #versions < 7 then
          versions[#versions + 1] = {at, its_price, its_full, till}
          used = math.max(used, (at - now) / its_price)
        end
      end
      others, changed = others or {}, changed or {}
      others[i] = versions
      if own then
        tat = math.min(math.max(own, now), empty) -- less than it was: the clock went back
        changed[i] = own > empty or (#versions > 0 and kept < now + full / 2)
      else -- as many tokens used as of the others, as far as this version has as many
        tat = math.min(now + ceil(used * price), empty)
        changed[i] = tat > now
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
  if (charge > 0 and not shadowed) or (changed and changed[i]) then
    local price = argv[2 * i]
    local tat = shadowed and reply[i + 2] or reply[i + 2] + charge * price
    reply[i + 2] = tat
    local value, last = string.format('%.0f:%s', tat, price), tat
    if others and others[i] and #others[i] > 0 then
      value = string.format('%s:%s:%.0f', value, argv[2 * i + 1], now + argv[2 * i + 1])
      for _, version in ipairs(others[i]) do
        local at, its_full = version[1], version[3]
        if charge > 0 and not shadowed then
          at = at + charge * version[2]
          if its_full ~= '0' then
            at = math.min(at, now + its_full)
          end
        end
        last = math.max(last, at)
        value = string.format('%s,%.0f:%s:%s:%s', value, at, version[2], its_full, version[4])
      end
    end
    -- Expires a second after it says no more than its absence does. Absolute, so that replicas agree.
    call('SET', keys[i], value, 'PXAT', ceil(last / 1000) + 1000)
  end
  if shadowed then
    reply[#reply + 1] = i
  end
end
return reply
