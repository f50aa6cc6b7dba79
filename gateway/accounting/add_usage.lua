-- Adds a batch of usage to a day, once.
-- KEYS: the rows of the day, the mark of the batch's writer, then a HyperLogLog for each route whose callers are counted.
-- ARGV: the number of the batch, how long its mark is kept (ms), until when the day is kept (Unix time, s), the most rows,
-- the number of rows in the batch; for each row its organisation, key, route, quota, and its numbers, with spaces between
-- them; then for each HyperLogLog the number of callers, and the callers.
-- A writer numbers its batches upwards, and sends the next one when this one was accepted.
-- Returns 1, or 0 when the batch was added before, or the text of an error: that is data, so that it does not count
-- against the server. What may be refused (for want of memory or permissions) is tried before the first row is changed.
-- Beyond a share of the most rows, new ones lose their route, then their key, then their organisation: counts.py has the same.
local rows, mark = KEYS[1], KEYS[2]
local other, shares = '(other)', {0.8, 0.9, 1}
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    error({text = reply.err})
  end
  return reply
end

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

local function add_row(organization, key, route, quota, numbers)
  local names = {
    organization .. '|' .. key .. '|' .. route .. '|' .. quota,
    organization .. '|' .. key .. '|' .. other .. '|' .. quota,
    organization .. '|' .. other .. '|' .. other .. '|' .. quota,
    other .. '|' .. other .. '|' .. other .. '|' .. quota,
  }
  for level = 1, 4 do
    local old = try('HGET', rows, names[level])
    if old or level == 4 or try('HLEN', rows) < ARGV[4] * shares[level] then
      try('HSET', rows, names[level], added(old, numbers))
      return
    end
  end
end

local last
local ok, reply = pcall(function()
  last = try('GET', mark)
  if last and last + 0 >= ARGV[1] + 0 then
    return 0
  end
  try('SET', mark, ARGV[1], 'PX', ARGV[2])
  local at = 6 + 5 * ARGV[5]
  for i = 3, #KEYS do
    local callers = ARGV[at] + 0
    try('PFADD', KEYS[i], unpack(ARGV, at + 1, at + callers))
    try('EXPIREAT', KEYS[i], ARGV[3])
    at = at + 1 + callers
  end
  try('EXPIREAT', rows, ARGV[3])
  for i = 6, 1 + 5 * ARGV[5], 5 do
    add_row(unpack(ARGV, i, i + 4))
  end
  try('EXPIREAT', rows, ARGV[3])
  return 1
end)
if ok then
  return reply
end
redis.pcall('SET', mark, last or '0', 'PX', ARGV[2])
return type(reply) == 'table' and reply.text or tostring(reply)
