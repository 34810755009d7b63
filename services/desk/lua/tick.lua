-- Time passes: the caller's lease is renewed, those of others and grace periods end, changed
-- places in line are told. Whichever worker comes first does it; what is left over the next.
-- ARGV[8] the lease in ms

-- The caller has read its mailbox up to ARGV[3]: throw that away, it is what people have said.
local function forget_read()
    local ms, count = string.match(ARGV[3], '^(%d+)-(%d+)$')
    if ms then
        local box = PREFIX .. 'box:' .. me
        call('XTRIM', box, 'MINID', ms .. '-' .. text(tonumber(count) + 1))
    end
end

local refused = open()
if refused then
    return refused
end
forget_read()
call('ZADD', WORKERS, 'XX', desk.time + tonumber(ARGV[8]) * 1000, me)
for _, worker in ipairs(call('ZRANGEBYSCORE', WORKERS, '-inf', text(desk.time))) do
    retire(worker)
end

for _, worker in ipairs(call('SMEMBERS', DYING)) do
    local found = call('SPOP', PREFIX .. 'of:' .. worker, BATCH)
    for _, uuid in ipairs(found) do
        local one = person(uuid)
        if one then
            lose(one, worker)
            tell_move(one, worker)
        end
    end
    if #found < BATCH then
        call('SREM', DYING, worker)
    end
end

local ended = '(' .. text((math.floor(desk.time / 1000) + 1) * 1024)
for _, uuid in ipairs(call('ZRANGEBYSCORE', GRACE, '-inf', ended, 'LIMIT', 0, BATCH)) do
    depart(person(uuid), true)
end
match()
call('ZREMRANGEBYSCORE', VOID, '-inf', text(wall - TICKETS))

-- Tell those between two places in line whose place has changed.
local function tell_places(first, last)
    if last < first then
        return
    end
    local line = call('ZRANGE', LINE, first, last, 'WITHSCORES')
    local uuids = {}
    for i = 1, #line, 2 do
        uuids[#uuids + 1] = line[i]
    end
    local told, news = call('HMGET', TOLD, unpack(uuids)), {}
    for i, uuid in ipairs(uuids) do
        local place = first + i - 1
        if tonumber(told[i]) ~= place then
            news[#news + 1] = uuid
            news[#news + 1] = place
            local user = people[uuid]
            if not user then -- no more of it than is needed
                local found = call('HMGET', PREFIX .. 'p:' .. uuid, 'at', 'home')
                user = { uuid = uuid, at = found[1], home = found[2] }
            end
            tell_place(user, place, line[2 * i])
        end
    end
    if #news > 0 then
        call('HSET', TOLD, unpack(news))
    end
end

-- The foremost always, the others in turns: one lap through the line for each change.
if (desk.stale == 1 or desk.lap > 0) and desk.time - desk.told_at >= 1000000 then
    local length = call('ZCARD', LINE)
    local foremost = math.min(BATCH, length)
    desk.told_at = desk.time
    if desk.stale == 1 then
        desk.stale = 0
        desk.lap = length
    end
    desk.lap = math.min(desk.lap, length - foremost)
    tell_places(0, foremost - 1)
    if desk.lap > 0 then
        local first = math.max(foremost, call('ZCOUNT', LINE, '-inf', '(' .. text(desk.going)))
        if first >= length then
            first = foremost
        end
        local last = math.min(first + BATCH, length) - 1
        tell_places(first, last)
        desk.lap = desk.lap - (last - first + 1)
        desk.going = tonumber(call('ZRANGE', LINE, last + 1, last + 1, 'WITHSCORES')[2]) or 0
    end
end
return close({})
