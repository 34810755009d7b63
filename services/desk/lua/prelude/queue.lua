-- The queues: their tickets, and who stands where.

-- ---- tickets ----------------------------------------------------------------

-- Above every number given so far; of those in front their distance from 0 counts.
local function next_number()
    return math.max(desk.back + 1, 1 - desk.front, wall)
end

-- *user* has used its position, or has given it up: no ticket of it brings that back.
local function spend(user)
    call('ZADD', VOID, math.max(desk.back, -desk.front, wall), redis.sha1hex(user.subject))
end

-- ---- overflow ---------------------------------------------------------------

-- Where users of *department* move that have waited too long; nil: nowhere. And where they would
-- move if that were open.
local function overflow_of(department)
    local rule = rule_of(department)
    local to = rule and rule.overflow_to
    if not to or to == department or known(to) ~= to then
        return nil
    end
    local target = rule_of(to)
    return not (target and target.is_open == false) and to or nil, to
end

-- The same, but nil where users stay: departments that pass them on at once lead round.
local function moves_on_to(department)
    local seen, one, to = {}, department, overflow_of(department)
    while to and (rule_of(one).overflow_after or 0) == 0 do
        if seen[one] then
            return nil
        end
        seen[one] = true
        one, to = to, overflow_of(to)
    end
    return overflow_of(department)
end

-- *user* has come to its department, which it may have to leave for another one; or it *stays*
-- there no more.
local function watch(user, stays)
    local route = route_of(user)
    if not overflow_of(route.department) or stays and not moves_on_to(route.department) then
        return
    end
    if stays then
        local after = rule_of(route.department).overflow_after or 0
        local due = (route.entered or tonumber(user.since)) + after * 1000000
        call('ZADD', PREFIX .. KEY.moves, text(due), user.uuid)
    else
        call('ZREM', PREFIX .. KEY.moves, user.uuid)
    end
end

-- ---- standing in the queue ---------------------------------------------------

local touched = { [''] = true } -- departments in which a match may have become possible

-- Positions in *department* have changed.
local function change(department)
    if department == '' then
        desk.stale = 1
    else
        call('SADD', PREFIX .. KEY.stale, department)
        desk.unsent = 1
    end
end

-- The ticket of *user*; false where it does not wait.
local function waits(user)
    local route = route_of(user)
    return call('ZSCORE', key_in(QUEUE, route.department, route.priority), user.uuid)
end

-- How many stand in *department* before *ticket* of this priority; without one, before its end.
local function ahead_of(department, priority, ticket)
    local ahead = 0
    for _, one in ipairs(priorities()) do
        if one > priority then
            ahead = ahead + call('ZCARD', key_in(QUEUE, department, one))
        end
    end
    local queue = key_in(QUEUE, department, priority)
    return ahead + (ticket and call('ZCOUNT', queue, '-inf', '(' .. ticket) or call('ZCARD', queue))
end

-- *user*, who waits by *ticket*, can be taken from now on.
local function offer(user, ticket)
    local route = route_of(user)
    local added = call('ZADD', key_in(TAKEABLE, route.department, route.priority), ticket, user.uuid)
    if added == 1 and route.is_apart then
        call('HINCRBY', PREFIX .. KEY.wanted, route.department, 1)
    end
    touched[route.department] = true
end

-- *user* cannot be taken for now.
local function withhold(user)
    local route = route_of(user)
    local removed = call('ZREM', key_in(TAKEABLE, route.department, route.priority), user.uuid)
    if removed == 1 and route.is_apart then
        local wanted = PREFIX .. KEY.wanted
        if call('HINCRBY', wanted, route.department, -1) <= 0 then
            call('HDEL', wanted, route.department)
        end
    end
end

-- The users of *department* who can be taken, in their order, each with its priority and its ticket.
local function takeable_in(department)
    local ranked, rank, place = priorities(), 1, 0
    return function()
        while ranked[rank] do
            local key = key_in(TAKEABLE, department, ranked[rank])
            local found = call('ZRANGE', key, place, place, 'WITHSCORES')
            if found[1] then
                place = place + 1
                return found[1], ranked[rank], tonumber(found[2])
            end
            rank, place = rank + 1, 0
        end
    end
end

-- Why a free waiter of the department in which *user* waits does not get it; nil: it may. *waiter*
-- is a UUID.
local function obstacle_between(user, waiter)
    return route_of(user).giver == waiter and OBSTACLE.handed_over or nil
end

-- The first user of *department* who can be taken by *waiter*; its priority and its ticket. nil: none.
local function first_takeable(department, waiter)
    for uuid, priority, ticket in takeable_in(department) do
        if desk.handed == 0 or not obstacle_between(participant(uuid), waiter.uuid) then
            return uuid, priority, ticket
        end
    end
end

-- *user* stands where its route and *ticket* say.
local function stand(user, ticket, ahead)
    local route = route_of(user)
    desk.handed = desk.handed + (route.giver and 1 or 0)
    call('ZADD', key_in(QUEUE, route.department, route.priority), ticket, user.uuid)
    if route.is_apart then
        desk.apart = desk.apart + 1
        if route.priority > 0 then
            desk.ranks = bit.bor(desk.ranks, bit.lshift(1, route.priority))
        end
    end
    if here(user) then
        offer(user, ticket)
    end
    call('HSET', TOLD, user.uuid, ahead)
    watch(user, true)
end

-- Stand before everybody else of the own department and priority, the first of *users* foremost.
local function stand_in_front(users)
    for i = #users, 1, -1 do
        local user = users[i]
        local route = route_of(user)
        set_route(user, known(route.department), route.asked, route.priority, nil, route.giver)
        desk.front = -next_number()
        set(user, FIELD.since, desk.time)
        stand(user, desk.front, -1)
        change(route_of(user).department)
    end
end

-- What *user* wanted to ask is forgotten when it leaves the queue.
local function forget_question(user)
    if user.question ~= '' then
        set(user, FIELD.question, '')
    end
end

-- *user* leaves its queue, for another one if it *moves*; false when it did not wait.
local function strike(user, moves)
    local route = route_of(user)
    if call('ZREM', key_in(QUEUE, route.department, route.priority), user.uuid) == 0 then
        return false
    end
    desk.apart = desk.apart - (route.is_apart and 1 or 0)
    desk.handed = desk.handed - (route.giver and 1 or 0)
    withhold(user)
    watch(user, false)
    change(route.department)
    if not moves then
        call('HDEL', TOLD, user.uuid)
        forget_question(user)
        if route.giver then
            set_route(user, route.department, route.asked, route.priority, route.entered)
        end
    end
    return true
end

-- ---- sending positions -------------------------------------------------------

-- A queue moves by a thousand at once: each gets few bytes, and is not described.
local function send_position(user, location, ticket, department)
    post_event({ event = EVENT.queued, user = user.uuid, location = location,
        ticket = tonumber(ticket), department = given(department) }, { user }, {})
end

-- Send their positions to those of *users* that are not served yet.
local function send_positions(users)
    for _, user in ipairs(users) do
        if user.waiter == '' then
            local route, ticket = route_of(user), waits(user)
            local location = ahead_of(route.department, route.priority, ticket)
            call('HSET', TOLD, user.uuid, location)
            send_position(user, location, ticket, route.department)
        end
    end
end
