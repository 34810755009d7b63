-- How busy the desk is.
-- Answers: `Figures` (`port.py`).

local refused = open()
if refused then
    return refused
end
local first, wait = call('ZRANGE', QUEUE, 0, 0)[1], 0
if first then
    wait = desk.time - tonumber(participant(first).since)
end
local reads
for _, worker in ipairs(call('ZRANGE', WORKERS, 0, -1)) do
    local one = tonumber(call('HGET', DESK, MARK.reads .. worker) or '1')
    reads = math.min(reads or one, one)
end
return close(cmsgpack.pack({ waiters = desk.waiters, waiters_ready = desk.ready,
    users_served = desk.served, queue_length = call('ZCARD', QUEUE), longest_wait = wait / 1000000,
    reads = reads or 1 }))
