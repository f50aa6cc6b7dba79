-- Updates of meters, as gateway/kernel/limits/quota.py has them, all or none. After meters.lua.
-- KEYS: one for each update, and a mark, if there is one. ARGV: how long the mark of these updates is kept, ms;
-- 0: there is none; -1: the mark is that of the call which these updates undo, if it was counted. Then for each update its kind,
-- its number, its month and its unit.
-- Returns 1, or 0 when the updates were made before, or there is nothing to undo.
if ARGV[1] == '-1' then
  if call('DEL', KEYS[#KEYS]) == 0 then
    return 0
  end
elseif ARGV[1] ~= '0' and not call('SET', KEYS[#KEYS], '', 'NX', 'PX', ARGV[1]) then
  return 0
end
for i = 1, (#ARGV - 1) / 4 do
  local key, what = KEYS[i], ARGV[4 * i - 2]
  local number, month, unit = ARGV[4 * i - 1] + 0, ARGV[4 * i] + 0, ARGV[4 * i + 1]
  if what == 'add' then
    local used, written = tally(key, month > 0)
    write(key, used + number, written)
  elseif what == 'refund' then
    local used, written = tally(key, month > 0)
    if written == month and used > 0 then
      write(key, used - 1, written)
    end
  elseif what == 'put' then
    put(key, unit, number)
  elseif what == 'drop' then
    call('ZREM', key, unit)
  else
    units(key)
    call('ZPOPMIN', key)
  end
end
return 1
