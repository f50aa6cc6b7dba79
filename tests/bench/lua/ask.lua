-- The load: wrk -s ask.lua URL -- FILE METHOD CLOSE FIRST MARK
-- FILE has a key and a path on each line. The requests are made once and sent in turn, beginning with number FIRST.
-- Prints "mark" when MARK requests were sent: by then every connection stands. At the end it prints one line of JSON.
local requests, sent, mark = {}, 0, 0

function init(args)
  local method, close = args[2], args[3] == "close"
  local body = method == "POST" and '{"name":"an order","lines":[' .. string.rep('{"article":"6d84e126","count":2},', 29) .. "{}]}" or nil
  for line in io.lines(args[1]) do
    local key, path = line:match("^(%S+) (%S+)$")
    local headers = {
      ["X-Api-Key"] = key,
      ["User-Agent"] = "bench/1.0",
      ["Accept"] = "application/json",
      ["Content-Type"] = body and "application/json",
      ["Connection"] = close and "close" or nil,
    }
    requests[#requests + 1] = wrk.format(method, path, headers, body)
  end
  sent = args[4] + 0
  mark = sent + args[5]
end

function request()
  sent = sent + 1
  if sent == mark then
    io.stdout:write("mark\n")
    io.stdout:flush()
  end
  return requests[sent % #requests + 1]
end

function done(summary, latency)
  local errors = summary.errors
  io.stdout:write(string.format(
    '{"replies": %d, "refusals": %d, "failures": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
  ))
end
