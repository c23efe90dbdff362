-- Decides one investment. An investor is one hash: `balance`, `live` (the sequence of the live investment) and `k:<key>`
-- for every verdict; the round is one hash: `sequence`, `admitted`. At most two writes, each one command in the log.
-- KEYS: the investor, the round. ARGV: key, amount, 1 if its terms refuse it, milliseconds, cap.
-- Answers `<r for a replay, n for new><code>|<amount>|<sequence>|<at>|<extra>`, or nothing when the terms refuse a new key.
local field = 'k:' .. ARGV[1]
local known = redis.call('HMGET', KEYS[1], field, 'live', 'balance')
if known[1] then
  return 'r' .. known[1]
end
if ARGV[3] == '1' then
  return false
end
local round = redis.call('HMGET', KEYS[2], 'sequence', 'admitted')
local amount = tonumber(ARGV[2])
local sequence = string.format('%.0f', (tonumber(round[1]) or 0) + 1)
local admitted = tonumber(round[2]) or 0
local room = tonumber(ARGV[5]) - admitted
local verdict = '|' .. ARGV[2] .. '|' .. sequence .. '|' .. ARGV[4] .. '|'
if known[2] then
  verdict = '1' .. verdict .. known[2]
elseif (tonumber(known[3]) or 0) < amount then
  verdict = '2' .. verdict .. '0'
elseif room < amount then
  verdict = '3' .. verdict .. string.format('%.0f', room)
else
  verdict = '0' .. verdict .. '0'
  redis.call('HSET', KEYS[1], field, verdict, 'live', sequence)
  redis.call('HSET', KEYS[2], 'sequence', sequence, 'admitted', string.format('%.0f', admitted + amount))
  return 'n' .. verdict
end
redis.call('HSET', KEYS[1], field, verdict)
redis.call('HSET', KEYS[2], 'sequence', sequence)
return 'n' .. verdict
