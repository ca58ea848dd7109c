-- wrk's script: each request registers another person. `run` tells the rounds apart.
local run = os.getenv("RUN") or "0"
local number = 0
local thread_number = 0

function setup(thread)
  thread:set("name", tostring(thread_number))
  thread_number = thread_number + 1
end

function init(args)
  wrk.method = "POST"
  wrk.path = "/api/register"
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  number = number + 1
  local body = string.format(
    '{"name":"Ada Lovelace","email":"ada.%s.%s.%d@school.example","phone":"+44 20 7946 %04d","program":"Mathematics"}',
    run, name, number, number % 10000)
  return wrk.format(nil, nil, nil, body)
end

local refused = 0
function response(status)
  if status ~= 201 then refused = refused + 1 end
end

function done(summary, latency, requests)
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write
      + summary.errors.timeout + summary.errors.status
  io.write(string.format("RESULT %d %d %d %d\n",
    summary.requests, summary.duration, latency:percentile(99), bad))
end
