-- How busy the desk is.
-- Answers: waiters, those ready, users served, users in line, µs that the first has waited,
-- and what all workers can read (`READS` in `port.py`).

local refused = open()
if refused then
    return refused
end
local first, wait = call('ZRANGE', LINE, 0, 0)[1], 0
if first then
    wait = desk.time - tonumber(person(first).since)
end
local reads
for _, worker in ipairs(call('ZRANGE', WORKERS, 0, -1)) do
    local one = tonumber(call('HGET', DESK, 'reads:' .. worker) or '1')
    reads = math.min(reads or one, one)
end
return close({ desk.waiters, desk.ready, desk.served, call('ZCARD', LINE), wait, reads or 1 })
