-- How busy the desk is.
-- Answers: `Figures` (`port.py`).

local refused = open()
if refused then
    return refused
end

-- µs that the first in *department* has waited.
local function longest_wait(department)
    for _, priority in ipairs(priorities()) do
        local first = call('ZRANGE', queue_of(department, priority), 0, 0)[1]
        if first then
            return desk.time - tonumber(participant(first).since)
        end
    end
    return 0
end

local longest, loads = longest_wait(''), {}
if desk.departments > 0 then
    for _, department in ipairs(call('HKEYS', RULES)) do
        if department ~= '' then
            local wait = longest_wait(department)
            longest = math.max(longest, wait)
            loads[department] = { call('ZCARD', duty_of(department)), length_of(department),
                wait / 1000000 }
        end
    end
    if next(loads) then
        loads[''] = { call('ZCARD', duty_of('')), length_of(''), longest_wait('') / 1000000 }
    end
end
local reads
for _, worker in ipairs(call('ZRANGE', WORKERS, 0, -1)) do
    local one = tonumber(call('HGET', DESK, MARK.reads .. worker) or '1')
    reads = math.min(reads or one, one)
end
return close(cmsgpack.pack({ waiters = desk.waiters, waiters_ready = desk.ready,
    users_served = desk.served, queue_length = call('ZCARD', QUEUE) + desk.apart,
    longest_wait = longest / 1000000, departments = next(loads) and loads or nil, reads = reads or 1 }))
