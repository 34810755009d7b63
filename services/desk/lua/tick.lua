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

local function comes_before(one, other)
    for i, value in ipairs(one) do
        if value ~= other[i] then
            return value < other[i]
        end
    end
    return false
end

-- Users who have waited too long in their department move on, in the order in which they came to
-- have done so.
local function move_late()
    if desk.departments == 0 then
        return
    end
    local late, users = {}, {}
    local found = call('ZRANGEBYSCORE', PREFIX .. KEY.moves, '-inf', text(desk.time), 'WITHSCORES',
        'LIMIT', 0, CONSTANT.batch)
    for i = 1, #found, 2 do
        local user = participant(found[i])
        local route = route_of(user)
        late[#late + 1] = { tonumber(found[i + 1]), route.department, -route.priority,
            tonumber(waits(user)), found[i] }
    end
    table.sort(late, comes_before)
    for i, moving in ipairs(late) do
        users[i] = participant(moving[5])
        move(users[i], entrance(overflow_of(moving[2])))
    end
    match()
    send_positions(users)
end

-- Users whose waiters have written nothing in time wait for others, in front; those waiters take
-- nobody any more.
local function move_unanswered()
    if desk.rules == 0 then -- `configure` asks whether all workers can read such a reason
        return
    end
    local users = {}
    local late = call('ZRANGEBYSCORE', UNANSWERED, '-inf', text(desk.time), 'LIMIT', 0, CONSTANT.batch)
    for i, uuid in ipairs(late) do
        local user = participant(uuid)
        local waiter = participant(user.waiter)
        unlink(user, waiter)
        users[i] = user
        post_event({ event = EVENT.parted, user = user.uuid, waiter = waiter.uuid, gone = waiter.uuid,
            reason = REASON.unanswered, requeued = true, talk = given(user.talk) }, { user, waiter })
        if waiter.ready == '1' then
            set_ready(waiter, false, '')
            post_event({ event = EVENT.on_duty, waiter = waiter.uuid, ready = false,
                capacity = tonumber(waiter.capacity) or 0, by_desk = true }, { waiter })
        end
    end
    if #users > 0 then
        stand_in_front(users)
        match()
        send_positions(users)
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
    desk.deaths = desk.deaths + 1
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
move_unanswered()
move_late()
call('ZREMRANGEBYSCORE', VOID, '-inf', text(wall - CONSTANT.ticket_lifetime))

send_changed_positions()
return close()
