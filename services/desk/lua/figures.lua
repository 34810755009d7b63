-- How busy the desk is.
-- Answers: `Figures` (`port.py`).

local refused = open()
if refused then
    return refused
end

-- µs that has waited longest who is the first of its priority in *department*.
local function longest_wait(department)
    local longest = 0
    for _, priority in ipairs(priorities()) do
        local first = call('ZRANGE', key_in(QUEUE, department, priority), 0, 0)[1]
        if first then
            longest = math.max(longest, desk.time - tonumber(participant(first).since))
        end
    end
    return longest
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

-- ---- seats ------------------------------------------------------------------

local SEATS_EVERY = 10000000 -- µs between two counts: each looks at every waiter on duty
local SEATS_COUNTED = PREFIX .. KEY.seats_counted

-- By department: the seats of those on duty, of each waiter as many as its share of the queues.
local function counted_seats()
    local seats, lengths = {}, {}
    for _, uuid in ipairs(call('ZRANGE', DUTY, 0, -1)) do
        local fields = call('HMGET', key_of(uuid), FIELD.capacity, FIELD.route)
        local members, total = members_of({ route = fields[2] or '' }), 0
        for _, member in ipairs(members) do
            local department = member[1]
            lengths[department] = lengths[department] or length_of(department)
            total = total + lengths[department]
        end
        for _, member in ipairs(members) do
            local department = member[1]
            local share = total > 0 and lengths[department] / total or 1
            seats[department] = (seats[department] or 0) + (tonumber(fields[1]) or 0) * share
        end
    end
    return seats
end

local seats = call('GET', SEATS_COUNTED)
if not seats or desk.time - desk.seats_at >= SEATS_EVERY then
    local counted = counted_seats()
    seats = next(counted) and cmsgpack.pack(counted)
    if seats then
        desk.seats_at = desk.time
        call('SET', SEATS_COUNTED, seats)
    else
        call('DEL', SEATS_COUNTED)
    end
end

local reads
for _, worker in ipairs(call('ZRANGE', WORKERS, 0, -1)) do
    local one = tonumber(call('HGET', DESK, MARK.reads .. worker) or '1')
    reads = math.min(reads or one, one)
end
return close(cmsgpack.pack({ waiters = desk.waiters, waiters_ready = desk.ready,
    users_served = desk.served, queue_length = call('ZCARD', QUEUE) + desk.apart,
    longest_wait = longest / 1000000, departments = next(loads) and loads or nil,
    seats = seats and cmsgpack.unpack(seats) or nil, reads = reads or 1,
    deaths = desk.deaths }))
