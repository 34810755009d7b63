-- The desk's counters, its clock, and how a script begins.

local COUNTERS = LIST.counters
local STRIDE = 3000000 -- µs that the desk's clock goes on at most at once: see `open`
local SETTLE = 1000000 -- µs that matching rests after all was lost, until workers have handed over

local desk, before = {}, {}
local wall -- µs since 1970
local sent = 0 -- the number of the caller's last letter
local unread = {} -- letters that the caller has not read yet: number, letter …

-- The fields of an entry in a mailbox, by their names.
local function named(fields)
    local found = {}
    for i = 1, #fields, 2 do
        found[fields[i]] = fields[i + 1]
    end
    return found
end

local function catch_up()
    local read = tonumber(ARG.heard)
    if sent <= read then
        return
    end
    local since = '(' .. ARG.read
    local entries = call('XRANGE', mailbox_of(me), since, '+', 'COUNT', 2 * CONSTANT.batch)
    for _, item in ipairs(entries) do
        local entry = named(item[2])
        local number = entry[ENTRY.number]
        if entry[ENTRY.sender] == SENDER.desk and tonumber(number) > read then
            unread[#unread + 1] = number
            unread[#unread + 1] = entry[ENTRY.letter]
        end
    end
end

-- Begin. Returns an error for a worker without a lease, which may change nothing; `join` alone
-- may be called without one.
--
-- The desk counts the time it has lived: when the clock jumps or Redis stands still, it
-- goes on by STRIDE at most, so that leases and grace periods do not all end at once.
local function open(needs_no_lease)
    local found = call('HMGET', DESK, MARK.sent .. me, unpack(COUNTERS))
    for i, name in ipairs(COUNTERS) do
        desk[name] = tonumber(found[i + 1]) or 0
        before[name] = desk[name]
    end
    if ARG.clock ~= '' then
        wall = tonumber(ARG.clock)
        desk.time = wall
    else
        local time = call('TIME')
        wall = time[1] * 1000000 + time[2]
        desk.time = desk.time + math.min(math.max(wall - desk.seen, 0), STRIDE)
    end
    desk.seen = wall
    if found[1] then
        sent = tonumber(found[1])
        catch_up()
    elseif not needs_no_lease then
        return redis.error_reply(REFUSED.no_lease .. ' this worker holds no lease')
    end
end

local leases = { [me] = true }
local function leased(worker)
    if leases[worker] == nil then
        leases[worker] = call('HEXISTS', DESK, MARK.sent .. worker) == 1
    end
    return leases[worker]
end
