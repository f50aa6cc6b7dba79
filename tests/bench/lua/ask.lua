-- The load: wrk -s ask.lua URL -- FILE METHOD CLOSE FIRST MARK
-- FILE has a key and a path on each line. The requests are made once and sent in turn, beginning with number FIRST.
-- Prints "mark" when MARK requests were sent: by then every connection stands. At the end it prints one line of JSON.
local requests, sent, mark = {}, 0, 0

-- LuaJIT hashes a few bytes of a long string only: the key stands in the middle and the body differs, or else filling the table takes minutes.
function init(args)
  local post, connection = args[2] == "POST", args[3] == "close" and "Connection: close\r\n" or ""
  local host = wrk.headers["Host"]
  for line in io.lines(args[1]) do
    local key, path = line:match("^(%S+) (%S+)$")
    local body = post and '{"name":"an order","note":"' .. string.rep(string.format("%08x", #requests * 2654435761 % 2 ^ 32), 120) .. '"}' or ""
    requests[#requests + 1] = table.concat {
      args[2], " ", path, " HTTP/1.1\r\nHost: ", host, "\r\nX-Api-Key: ", key, "\r\nUser-Agent: bench/1.0\r\nAccept: application/json\r\n",
      connection, post and "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n" or "", "\r\n", body,
    }
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
