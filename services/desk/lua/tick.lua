-- Time passes: the caller's lease is renewed, those of others and grace periods end, changed
-- positions are sent. Whichever worker comes first does it; what is left over the next one does.
-- ARG.lease  ms

-- The caller has read its mailbox up to ARG.read: throw that away, it holds what people have written.
local function forget_read()
    local ms, count = string.match(ARG.read, '^(%d+)-(%d+)$')
    if ms then
        call('XTRIM', mailbox_of(me), 'MINID', ms .. '-' .. text(tonumber(count) + 1))
    end
end

local refused = open()
if refused then
    return refused
end
forget_read()
call('ZADD', WORKERS, 'XX', desk.time + tonumber(ARG.lease) * 1000, me)
for _, worker in ipairs(call('ZRANGEBYSCORE', WORKERS, '-inf', text(desk.time))) do
    retire(worker)
end

for _, worker in ipairs(call('SMEMBERS', DYING)) do
    local found = call('SPOP', held_by(worker), CONSTANT.batch)
    for _, uuid in ipairs(found) do
        local one = participant(uuid)
        if one then
            lose(one, worker)
            post_move(one, worker)
        end
    end
    if #found < CONSTANT.batch then
        call('SREM', DYING, worker)
    end
end

local ended = '(' .. text(grace_score(math.floor(desk.time / 1000) + 1))
for _, uuid in ipairs(call('ZRANGEBYSCORE', GRACE, '-inf', ended, 'LIMIT', 0, CONSTANT.batch)) do
    depart(participant(uuid), true)
end
match()
call('ZREMRANGEBYSCORE', VOID, '-inf', text(wall - CONSTANT.ticket_lifetime))

-- Send their positions to the users between two positions whose position has changed.
local function send_positions(first, last)
    if last < first then
        return
    end
    local queue = call('ZRANGE', QUEUE, first, last, 'WITHSCORES')
    local uuids = {}
    for i = 1, #queue, 2 do
        uuids[#uuids + 1] = queue[i]
    end
    local sent_before, news = call('HMGET', TOLD, unpack(uuids)), {}
    for i, uuid in ipairs(uuids) do
        local position = first + i - 1
        if tonumber(sent_before[i]) ~= position then
            news[#news + 1] = uuid
            news[#news + 1] = position
            local user = participants[uuid]
            if not user then -- no more of it than is needed
                local found = call('HMGET', key_of(uuid), FIELD.at, FIELD.home)
                user = { uuid = uuid, at = found[1], home = found[2] }
            end
            send_position(user, position, queue[2 * i])
        end
    end
    if #news > 0 then
        call('HSET', TOLD, unpack(news))
    end
end

-- The foremost always, the others in turns: one lap through the queue for each change.
if (desk.stale == 1 or desk.lap > 0) and desk.time - desk.told_at >= CONSTANT.positions_every then
    local length = call('ZCARD', QUEUE)
    local foremost = math.min(CONSTANT.batch, length)
    desk.told_at = desk.time
    if desk.stale == 1 then
        desk.stale = 0
        desk.lap = length
    end
    desk.lap = math.min(desk.lap, length - foremost)
    send_positions(0, foremost - 1)
    if desk.lap > 0 then
        local first = math.max(foremost, call('ZCOUNT', QUEUE, '-inf', '(' .. text(desk.going)))
        if first >= length then
            first = foremost
        end
        local last = math.min(first + CONSTANT.batch, length) - 1
        send_positions(first, last)
        desk.lap = desk.lap - (last - first + 1)
        desk.going = tonumber(call('ZRANGE', QUEUE, last + 1, last + 1, 'WITHSCORES')[2]) or 0
    end
end
return close()
