-- The gateway's whole job for nginx with ngx_http_lua_module, as somebody who knows both would write it: keys by SHA-256, a token
-- bucket in Redis for each request, clean header fields, the service's JSON checked and put into the envelope, limits on the
-- reply, metrics, one line of JSON in the log. What the gateway does beyond that is not asked for by the benchmark.
local cjson = require "cjson.safe"
local random = require "nginx.random"
local redis = require "nginx.redis"
local sha256 = require "nginx.sha256"
local hex = require "nginx.string".to_hex

local byte, find, format, gsub, sub = string.byte, string.find, string.format, string.gsub, string.sub

local M = {}

-- GCRA: the key holds the time at which the bucket is full again, in µs. Returns {allowed, µs that are used}.
local SCRIPT = [[
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local price, whole = ARGV[1] + 0, ARGV[2] + 0
local full = math.max((redis.call('GET', KEYS[1]) or 0) + 0, now)
if full + price > now + whole then
  return {0, full - now}
end
full = full + price
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PXAT', math.ceil(full / 1000) + 1000)
return {1, full - now}
]]

local NOT_PASSED_ON = {
  ["connection"] = true, ["keep-alive"] = true, ["te"] = true, ["trailer"] = true, ["transfer-encoding"] = true, ["upgrade"] = true,
  ["x-api-key"] = true, ["forwarded"] = true, ["x-real-ip"] = true, ["x-request-id"] = true, ["traceparent"] = true,
  ["accept-encoding"] = true,
}
local NOT_PASSED_BACK = {
  ["connection"] = true, ["keep-alive"] = true, ["transfer-encoding"] = true, ["content-length"] = true, ["content-type"] = true,
  ["date"] = true, ["etag"] = true, ["server"] = true, ["x-request-id"] = true,
}
local METHODS = {
  GET = ngx.HTTP_GET, HEAD = ngx.HTTP_HEAD, POST = ngx.HTTP_POST, PUT = ngx.HTTP_PUT, PATCH = ngx.HTTP_PATCH, DELETE = ngx.HTTP_DELETE,
}
local BOUNDS = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

local callers, script, redis_port, look = {}, nil, nil, nil

local function uuid(digits)
  return sub(digits, 1, 8) .. "-" .. sub(digits, 9, 12) .. "-4" .. sub(digits, 14, 16) .. "-"
    .. format("%x", 8 + tonumber(sub(digits, 17, 17), 16) % 4) .. sub(digits, 18, 20) .. "-" .. sub(digits, 21, 32)
end

local function answered(status, body)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.header["X-Request-Id"] = ngx.ctx.id
  ngx.header["Content-Length"] = #body
  ngx.print(body)
end

local function refused(status, code, message, hint)
  ngx.var.code = code
  ngx.var.source = "gateway"
  answered(status, format(
    '{"requestId":"%s","status":"ERROR","data":{"code":%d,"message":"%s","developerMessage":"%s","links":[],"details":[]}}',
    ngx.ctx.id, code, message, hint
  ))
end

-- Whether the call is allowed, and the µs of its bucket that are used; nil when Redis does not say.
local function decided(caller)
  local store = redis:new()
  store:set_timeout(20000)
  if not store:connect("127.0.0.1", redis_port) then
    return nil
  end
  if not script then
    script = store:script("LOAD", SCRIPT)
  end
  local reply = script and store:evalsha(script, 1, caller.bucket, caller.price, caller.whole)
  if not reply then
    script = nil
    return nil
  end
  store:set_keepalive(30000, 4096)
  return reply[1] == 1, reply[2]
end

-- What the service is told stands in variables, which `proxy_set_header` of the configuration puts into its request.
local function prepared(caller, digits)
  local request, var = ngx.req, ngx.var
  for name in pairs(request.get_headers(100)) do
    if NOT_PASSED_ON[name] or sub(name, 1, 9) == "x-caller-" or sub(name, 1, 12) == "x-forwarded-" then
      request.clear_header(name)
    end
  end
  var.trace = "00-" .. digits .. "-" .. hex(random.bytes(8)) .. "-02"
end

-- What Lua can do at little cost: JSON is what begins and ends like it, and an envelope what begins like one.
local function glimpsed(body)
  local first, last = byte(body), byte(body, -1)
  local json = (first == 123 and last == 125) or (first == 91 and last == 93)
  return json, find(sub(body, 1, 200), '^{"requestId":"[^"]*","status":"[SE]') ~= nil
end

-- What the gateway does: the whole body is read.
local function parsed(body)
  local found = cjson.decode(body)
  local known = type(found) == "table" and (found.status == "SUCCESS" or found.status == "ERROR")
  return found ~= nil, known and found.requestId ~= nil and found.data ~= nil
end

-- `file` has a line for each key: its SHA-256, its id, its organisation, the most calls and the seconds that they are for.
-- `thorough` says whether bodies are parsed.
function M.start(file, port, thorough)
  redis_port = port
  look = thorough and parsed or glimpsed
  for line in io.lines(file) do
    local digest, id, organization, most, seconds = line:match("^(%S+) (%S+) (%S+) (%d+) (%d+)$")
    callers[(digest:gsub("..", function(two) return string.char(tonumber(two, 16)) end))] = {
      id = id, organization = organization, most = most + 0, seconds = seconds + 0,
      bucket = "lua:{" .. sub(digest, 1, 32) .. "}:minute", price = seconds * 1e6 / most, whole = seconds * 1e6,
      policy = format('"minute";q=%d;w=%d', most, seconds),
    }
  end
end

local function enveloped(body)
  local json, already = look(body)
  if not json then
    return nil
  end
  if already then
    return (gsub(body, '("requestId"%s*:%s*")[^"]*', "%1" .. ngx.ctx.id, 1))
  end
  return '{"requestId":"' .. ngx.ctx.id .. '","status":"SUCCESS","data":{"result":' .. body .. "}}"
end

-- content_by_lua
function M.serve()
  local var = ngx.var
  local digits = var.request_id
  ngx.ctx.id = uuid(digits)
  var.id = ngx.ctx.id
  local uri = var.uri
  if sub(uri, 1, 10) ~= "/v1/orders" or (byte(uri, 11) or 47) ~= 47 then
    return refused(404, 1005, "Request URL not valid", "No route matches this path.")
  end
  local method = METHODS[ngx.req.get_method()]
  if not method then
    return refused(405, 1006, "Request method not valid", "The method is not available here.")
  end
  local key = var.http_x_api_key
  local sum = sha256:new()
  sum:update(key or "")
  local caller = key and callers[sum:final()]
  if not caller then
    ngx.header["WWW-Authenticate"] = 'ApiKey realm="api"'
    return refused(401, 1002, "Invalid credentials", "The API key is not known.")
  end
  var.caller = caller.id
  var.organization = caller.organization
  local allowed, used = decided(caller)
  if allowed == nil then
    return refused(503, 1004, "Undefined error", "The rate limit cannot be checked at present.")
  end
  local left = math.floor((caller.whole - used) / caller.price)
  var.remaining = left
  local header = ngx.header
  header["X-RateLimit-Limit-Minute"] = caller.most
  header["X-RateLimit-Remaining-Minute"] = left
  header["RateLimit-Policy"] = caller.policy
  header["RateLimit"] = format('"minute";r=%d;t=%d', left, math.ceil(used / 1e6))
  if not allowed then
    header["Retry-After"] = math.max(1, math.ceil((used + caller.price - caller.whole) / 1e6))
    return refused(429, 8000, "Limit exceeded", "The rate limit is spent.")
  end
  ngx.req.read_body()
  prepared(caller, digits)
  local answer = ngx.location.capture("/service" .. var.request_uri, {method = method, always_forward_body = true, share_all_vars = true})
  if answer.truncated or answer.status >= 500 then
    return refused(503, 1004, "Undefined error", "The service failed.")
  end
  local kind = answer.header["Content-Type"]
  local body = answer.status < 400 and kind and sub(kind, 1, 16) == "application/json" and enveloped(answer.body)
  if not body then
    return refused(503, 1004, "Undefined error", "The service answered something else than JSON.")
  end
  for name, value in pairs(answer.header) do
    if not NOT_PASSED_BACK[string.lower(name)] then
      header[name] = value
    end
  end
  answered(answer.status, body)
end

local function observed(name, seconds)
  local metrics = ngx.shared.metrics
  for place, bound in ipairs(BOUNDS) do
    if seconds <= bound then
      metrics:incr(name .. place, 1, 0)
      break
    end
  end
  metrics:incr(name .. "sum", seconds, 0)
end

-- log_by_lua
function M.record()
  local var = ngx.var
  ngx.shared.metrics:incr("requests:" .. var.request_method .. ":" .. ngx.status .. ":" .. var.source, 1, 0)
  observed("duration:", var.request_time + 0)
end

return M
