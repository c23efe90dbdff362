-- wrk script: sends the records of a request file one after the other, each once, and reports as one line of JSON.
-- Arguments: the file, the bytes of a record, the first record of this run, the records it may use.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  path, record_bytes = args[1], tonumber(args[2])
  records, first = tonumber(args[4]), tonumber(args[3]) * record_bytes
  left = records
  ran_out = 0
  file = assert(io.open(path, "rb"))
  file:setvbuf("full", 1048576)
  file:seek("set", first)
end

function request()
  left = left - 1
  if left < 0 then
    ran_out = 1
    file:seek("set", first)
    left = records - 1
  end
  return file:read(record_bytes)
end

-- No `response` function: wrk would build a table of headers for every answer. It counts statuses of 400 and more itself.
function done(summary, latency)
  local ran = 0
  for _, thread in ipairs(threads) do
    ran = ran + thread:get("ran_out")
  end
  local errors = summary.errors
  print(string.format(
    '{"requests":%d,"durationUs":%d,"refused":%d,"failed":%d,"ranOut":%s,"cpuS":%f,"p50Us":%d,"p99Us":%d}',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    tostring(ran > 0), os.clock(), latency:percentile(50), latency:percentile(99)))
end
