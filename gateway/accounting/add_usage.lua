-- Adds a batch of usage to a day, once.
-- KEYS: the rows of the day, the mark of the batch's writer, then a HyperLogLog for each route whose callers are counted.
-- ARGV: the number of the batch, how long its mark is kept (ms), until when the day is kept (Unix time, s), the most rows,
-- the number of rows in the batch; for each row its organisation, key, route, quota, and its numbers, with spaces between
-- them; then for each HyperLogLog the number of callers, and the callers.
-- A writer numbers its batches upwards, and sends the next one when this one was accepted.
-- Returns 1, or 0 when the batch was added before.
-- Beyond a share of the most rows, new ones lose their route, then their key, then their organisation: counts.py has the same.
local call = redis.call
local rows, mark = KEYS[1], KEYS[2]
local other, shares = '(other)', {0.8, 0.9, 1}
local last = call('GET', mark)
if last and last + 0 >= ARGV[1] + 0 then
  return 0
end
call('SET', mark, ARGV[1], 'PX', ARGV[2])

local function added(old, new)
  local olds, sums = {}, {}
  for number in string.gmatch(old or '', '%d+') do
    olds[#olds + 1] = number
  end
  for number in string.gmatch(new, '%d+') do
    sums[#sums + 1] = string.format('%.0f', number + (olds[#sums + 1] or 0))
  end
  return table.concat(sums, ' ')
end

local at = 6
for _ = 1, ARGV[5] + 0 do
  local organization, key, route, quota, numbers = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  at = at + 5
  local names = {
    organization .. '|' .. key .. '|' .. route .. '|' .. quota,
    organization .. '|' .. key .. '|' .. other .. '|' .. quota,
    organization .. '|' .. other .. '|' .. other .. '|' .. quota,
    other .. '|' .. other .. '|' .. other .. '|' .. quota,
  }
  for level = 1, 4 do
    local old = call('HGET', rows, names[level])
    if old or level == 4 or call('HLEN', rows) < ARGV[4] * shares[level] then
      call('HSET', rows, names[level], added(old, numbers))
      break
    end
  end
end
call('EXPIREAT', rows, ARGV[3])

for i = 3, #KEYS do
  local callers = ARGV[at] + 0
  call('PFADD', KEYS[i], unpack(ARGV, at + 1, at + callers))
  call('EXPIREAT', KEYS[i], ARGV[3])
  at = at + 1 + callers
end
return 1
