-- How busy the desk is.
-- Answers: `Figures` (`port.py`).

local refused = open()
if refused then
    return refused
end

-- µs that the first in *department* has waited.
local function longest_wait(department)
    for _, priority in ipairs(priorities()) do
        local first = call('ZRANGE', key_in(QUEUE, department, priority), 0, 0)[1]
        if first then
            return desk.time - tonumber(participant(first).since)
        end
    end
    return 0
end

-- As `Load` in `departments.py`.
local function load_of(department, wait)
    return { call('ZCARD', DUTY .. ':' .. department), length_of(department), wait / 1000000 }
end

local own_wait, loads = longest_wait(''), {}
local longest = own_wait
if desk.departments > 0 then
    for _, department in ipairs(call('HKEYS', PREFIX .. KEY.rules)) do
        if department ~= '' then
            local wait = longest_wait(department)
            longest = math.max(longest, wait)
            loads[department] = load_of(department, wait)
        end
    end
    if next(loads) then
        loads[''] = load_of('', own_wait)
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
