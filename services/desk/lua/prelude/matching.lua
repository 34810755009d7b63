-- Who serves whom.

local function link(user, waiter)
    set(user, FIELD.waiter, waiter.uuid)
    set(user, FIELD.begun, '1')
    if user.last ~= waiter.subject then
        set(user, FIELD.last, waiter.subject)
    end
    desk.matches = desk.matches + 1
    desk.served = desk.served + 1
    call('ZADD', users_key(waiter), desk.matches, user.uuid)
    set(waiter, FIELD.load, tonumber(waiter.load) + 1)
    refresh(waiter)
end

local function unlink(user, waiter)
    set(user, FIELD.waiter, '')
    unseat(user)
    desk.served = desk.served - 1
    call('ZREM', users_key(waiter), user.uuid)
    set(waiter, FIELD.load, tonumber(waiter.load) - 1)
    refresh(waiter)
end

-- *waiter* serves *user* from now on.
local function bring_together(user, waiter)
    spend(user)
    forget_question(user)
    link(user, waiter)
    post_event({ event = EVENT.matched, user = user.uuid, waiter = waiter.uuid,
        waited = (desk.time - tonumber(user.since)) / 1000000, talk = given(user.talk),
        department = given(route_of(user).department) }, { user, waiter })
end

-- *user* waits for nobody and is served by nobody: its next conversation is another one.
local function forget_conversation(user)
    set(user, FIELD.talk, '')
    set(user, FIELD.begun, '')
    set(user, FIELD.spoken, '')
    give_place_back(user)
end

-- *lost*: *gone* was away for too long.
local function send_part(user, waiter, gone, requeued, lost)
    local on_purpose = gone == user.uuid and REASON.left or REASON.ended
    post_event({ event = EVENT.parted, user = user.uuid, waiter = waiter.uuid, gone = gone,
        reason = lost and REASON.lost or on_purpose, requeued = requeued, talk = given(user.talk) },
        { user, waiter })
    if not requeued then
        forget_conversation(user)
    end
end

local function part(user, waiter, gone, lost)
    unlink(user, waiter)
    send_part(user, waiter, gone, false, lost)
end

-- ---- making room ------------------------------------------------------------

-- How many seats of absent users may be given away. A few are not: pages of honest visitors may be
-- loading.
local function seats_to_give()
    return call('ZCARD', SEATS) - math.max(1, math.floor(desk.served / CONSTANT.seats_kept))
end

-- Whether a user of *department* can be taken.
local function is_wanted(department)
    if department == '' and call('ZCARD', TAKEABLE) > 0 then
        return true
    end
    return desk.apart > 0 and call('HEXISTS', WANTED, department) == 1
end

-- A waiter of *department* who has become free because another user needs the seat of an absent
-- one, or nil. On its return that user is sent that its waiter is gone, and stands in front.
local function make_room_with_a_waiter(department)
    local last = seats_to_give() - 1
    if last < 0 or not is_wanted(department) then
        return nil
    end
    for _, uuid in ipairs(call('ZRANGE', SEATS, 0, last)) do
        local user = participant(uuid)
        local waiter = participant(user.waiter)
        if on_duty(waiter) and tonumber(waiter.load) <= (tonumber(waiter.capacity) or 0)
            and belongs(waiter, department) then
            unlink(user, waiter)
            send_part(user, waiter, waiter.uuid, true, true)
            stand_in_front({ user })
            send_positions({ user })
            return waiter.uuid
        end
    end
    return nil
end

-- ---- matching ---------------------------------------------------------------

-- While all wait in the queue of '' and priority 0: who is first is who is taken.
local function match_in_one_queue()
    while true do
        local free = first_free('') or make_room_with_a_waiter('')
        local uuid = free and call('ZPOPMIN', TAKEABLE)[1]
        if not uuid then
            return
        end
        local user = participant(uuid)
        call('ZREM', QUEUE, uuid)
        call('HDEL', TOLD, uuid)
        watch_no_more(user)
        desk.stale = 1
        bring_together(user, last_waiter(user, '') or participant(free))
    end
end

-- The first user of *department* who can be taken, its priority and its ticket; nil: none.
local function first_takeable(department)
    for _, priority in ipairs(priorities()) do
        local found = call('ZRANGE', takeable_in(department, priority), 0, 0, 'WITHSCORES')
        if found[1] then
            return found[1], priority, tonumber(found[2])
        end
    end
end

-- The departments of *waiter* in which users can be taken, each with its priority.
local function wanting(waiter)
    local members, keys, found = members_of(waiter), {}, {}
    if #members == 1 then
        return members -- in this one there is somebody
    end
    for i, member in ipairs(members) do
        keys[i] = member[1]
    end
    local counts = call('HMGET', WANTED, unpack(keys))
    for i, member in ipairs(members) do
        if counts[i] or member[1] == '' then
            found[#found + 1] = member
        end
    end
    return found
end

-- Whether one list of numbers comes before another: the higher number first.
local function is_before(numbers, others)
    for i, number in ipairs(numbers) do
        if number ~= others[i] then
            return number > others[i]
        end
    end
    return false
end

-- Whom *waiter* takes next: of its department of the highest priority in which anybody waits; of
-- several such, who is first by its own priority, then by its ticket.
local function choose(waiter)
    local best, order
    for _, member in ipairs(wanting(waiter)) do
        if not order or member[2] >= order[1] then
            local uuid, priority, ticket = first_takeable(member[1])
            local other = uuid and { member[2], priority, -ticket }
            if uuid and (not order or is_before(other, order)) then
                best, order = uuid, other
            end
        end
    end
    return participant(best)
end

-- The department, first by key, in which a user can be matched, and a free waiter there; nil: none.
local function next_match()
    while true do
        local department
        for one in pairs(touched) do
            department = department and department < one and department or one
        end
        if not department then
            return nil
        end
        local free = is_wanted(department)
            and (first_free(department) or make_room_with_a_waiter(department))
        if free then
            return department, free
        end
        touched[department] = nil
    end
end

local function match_in_departments()
    for department, free in next_match do
        local first = participant((first_takeable(department)))
        local waiter = last_waiter(first, department) or participant(free)
        local user = choose(waiter)
        strike(user)
        bring_together(user, waiter)
    end
end

-- A match may have become possible wherever users wait.
local function touch_wanted()
    touched[''] = true
    for _, department in ipairs(call('HKEYS', WANTED)) do
        touched[department] = true
    end
end

-- Bring free waiters and waiting users of each department together, while there are both.
local function match()
    if desk.settles > desk.time then
        return
    end
    if desk.apart == 0 then
        match_in_one_queue()
    else
        if desk.settles > 0 or seats_to_give() > 0 then
            touch_wanted()
        end
        match_in_departments()
    end
    desk.settles = 0
end

-- The users of a waiter who has departed are sent so, and queued again where it was lost.
local function lose_users(waiter, requeue)
    local users = {}
    for i, uuid in ipairs(users_of(waiter)) do
        users[i] = participant(uuid)
        set(users[i], FIELD.waiter, '')
        unseat(users[i])
        desk.served = desk.served - 1
        send_part(users[i], waiter, waiter.uuid, requeue, requeue)
    end
    call('DEL', users_key(waiter))
    if not requeue or #users == 0 then
        return
    end
    stand_in_front(users)
    match()
    send_positions(users)
end
