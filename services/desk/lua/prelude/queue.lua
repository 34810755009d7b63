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

-- Where users of *department* move that have waited too long; nil: nowhere.
local function overflow_of(department)
    local rule = rule_of(department)
    local to = rule and rule.overflow_to
    if not to or to == department or known(to) ~= to then
        return nil
    end
    local target = rule_of(to)
    return not (target and target.is_open == false) and to or nil
end

-- *user* has come to its department: it may have to move on.
local function watch(user)
    local route = route_of(user)
    if overflow_of(route.department) then
        local after = rule_of(route.department).overflow_after or 0
        local due = (route.entered or tonumber(user.since)) + after * 1000000
        call('ZADD', MOVES, text(due), user.uuid)
    end
end

-- *user* leaves its department.
local function watch_no_more(user)
    if overflow_of(route_of(user).department) then
        call('ZREM', MOVES, user.uuid)
    end
end

-- ---- standing in the queue ---------------------------------------------------

local touched = { [''] = true } -- departments in which a match may have become possible

-- Positions in *department* have changed.
local function change(department)
    if department == '' then
        desk.stale = 1
    else
        call('SADD', STALE, department)
        desk.unsent = 1
    end
end

-- The ticket of *user*; false where it does not wait.
local function waits(user)
    local route = route_of(user)
    return call('ZSCORE', queue_of(route.department, route.priority), user.uuid)
end

-- How many stand in *department* before *ticket* of this priority; without one, before its end.
local function ahead_of(department, priority, ticket)
    local ahead = 0
    for _, one in ipairs(priorities()) do
        if one > priority then
            ahead = ahead + call('ZCARD', queue_of(department, one))
        end
    end
    local queue = queue_of(department, priority)
    return ahead + (ticket and call('ZCOUNT', queue, '-inf', '(' .. ticket) or call('ZCARD', queue))
end

-- *user*, who waits by *ticket*, can be taken from now on.
local function offer(user, ticket)
    local route = route_of(user)
    local added = call('ZADD', takeable_in(route.department, route.priority), ticket, user.uuid)
    if added == 1 and is_apart(route) then
        call('HINCRBY', WANTED, route.department, 1)
    end
    touched[route.department] = true
end

-- *user* cannot be taken for now.
local function withhold(user)
    local route = route_of(user)
    local removed = call('ZREM', takeable_in(route.department, route.priority), user.uuid)
    if removed == 1 and is_apart(route) and call('HINCRBY', WANTED, route.department, -1) <= 0 then
        call('HDEL', WANTED, route.department)
    end
end

-- *user* stands where its route and *ticket* say.
local function stand(user, ticket, ahead)
    local route = route_of(user)
    call('ZADD', queue_of(route.department, route.priority), ticket, user.uuid)
    if is_apart(route) then
        desk.apart = desk.apart + 1
        if route.priority > 0 then
            desk.ranks = bit.bor(desk.ranks, bit.lshift(1, route.priority))
        end
    end
    if here(user) then
        offer(user, ticket)
    end
    call('HSET', TOLD, user.uuid, ahead)
    watch(user)
end

-- *user* joins the queue.
local function take_position(user, ticket, ahead)
    set(user, FIELD.since, desk.time)
    stand(user, ticket, ahead)
end

-- Stand before everybody else of the own department and priority, the first of *users* foremost.
local function stand_in_front(users)
    for i = #users, 1, -1 do
        local user = users[i]
        local route = route_of(user)
        set_route(user, known(route.department), route.asked, route.priority)
        desk.front = -next_number()
        take_position(user, desk.front, -1)
        change(route_of(user).department)
    end
end

-- What *user* wanted to ask is forgotten when it leaves the queue.
local function forget_question(user)
    if user.question ~= '' then
        set(user, FIELD.question, '')
    end
end

-- *user* does not stand in its department any more; false when it did not.
local function leave_queue(user)
    local route = route_of(user)
    if call('ZREM', queue_of(route.department, route.priority), user.uuid) == 0 then
        return false
    end
    if is_apart(route) then
        desk.apart = desk.apart - 1
    end
    withhold(user)
    watch_no_more(user)
    change(route.department)
    return true
end

-- *user* leaves the queue; false when it did not wait.
local function strike(user)
    if not leave_queue(user) then
        return false
    end
    call('HDEL', TOLD, user.uuid)
    forget_question(user)
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
