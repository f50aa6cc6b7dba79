-- Tallies and units as in gateway/kernel/limits/quota.py. The scripts that need them begin with this.
-- A tally's key holds "<used>:<month>", month 0 for one that is for ever. Units are a sorted set by when each ends, ms.
local call, floor = redis.call, math.floor
local MOST = 1e15
local time = redis.call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)

-- Years begin in March here: so the day that some of them lack is their last.
local days = floor(time[1] / 86400) + 719468
local of_era = days % 146097
local year = floor((of_era - floor(of_era / 1460) + floor(of_era / 36524) - floor(of_era / 146096)) / 365)
local of_year = of_era - 365 * year - floor(year / 4) + floor(year / 100)
local this_month = (year + 400 * floor(days / 146097)) * 12 + floor((5 * of_year + 2) / 153) + 2

local function end_of(month) -- ms
  local years = floor((month - 1) / 12)
  local index = (month - 1) % 12
  return (365 * years + floor(years / 4) - floor(years / 100) + floor(years / 400) + floor((153 * index + 2) / 5) - 719468) * 86400000
end

local function tally(key, monthly)
  local used, written = string.match(call('GET', key) or '', '^(%d+):(%d+)$')
  used, written = (used or 0) + 0, (written or 0) + 0
  if not monthly then
    return used, 0
  end
  if written >= this_month then
    return used, written
  end
  return 0, this_month
end

local function write(key, used, month)
  local value = string.format('%.0f:%.0f', math.min(used, MOST), month)
  if month > 0 then
    call('SET', key, value, 'PXAT', end_of(month) + 1000)
  else
    call('SET', key, value)
  end
end

local function units(key)
  call('ZREMRANGEBYSCORE', key, '-inf', now)
  return call('ZCARD', key)
end

local function put(key, unit, lasts)
  call('ZADD', key, now + lasts, unit)
  call('PEXPIRE', key, math.max(call('PTTL', key), lasts + 1000))
end
