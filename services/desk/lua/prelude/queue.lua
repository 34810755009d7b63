-- The queue: its tickets, who stands where, and the positions that users are sent.

-- ---- tickets ----------------------------------------------------------------

-- Above every number given so far; of those in front their distance from 0 counts.
local function next_number()
    return math.max(desk.back + 1, 1 - desk.front, wall)
end

-- *user* has used its position, or has given it up: no ticket of it brings that back.
local function spend(user)
    call('ZADD', VOID, math.max(desk.back, -desk.front, wall), redis.sha1hex(user.subject))
end

-- ---- standing in the queue ---------------------------------------------------

-- The ticket of *user*; false where it does not wait.
local function waits(user)
    return call('ZSCORE', QUEUE, user.uuid)
end

local function take_position(user, ticket, ahead)
    call('ZADD', QUEUE, ticket, user.uuid)
    if here(user) then
        call('ZADD', TAKEABLE, ticket, user.uuid)
    end
    call('HSET', TOLD, user.uuid, ahead)
    set(user, FIELD.since, desk.time)
end

-- Stand before everybody else, the first of *users* foremost.
local function stand_in_front(users)
    for i = #users, 1, -1 do
        desk.front = -next_number()
        take_position(users[i], desk.front, -1)
        desk.stale = 1
    end
end

-- What *user* wanted to ask is forgotten when it leaves the queue.
local function forget_question(user)
    if user.question ~= '' then
        set(user, FIELD.question, '')
    end
end

-- *user* leaves the queue; false when it did not wait.
local function strike(user)
    if call('ZREM', QUEUE, user.uuid) == 0 then
        return false
    end
    call('ZREM', TAKEABLE, user.uuid)
    call('HDEL', TOLD, user.uuid)
    desk.stale = 1
    forget_question(user)
    return true
end

-- ---- sending positions -------------------------------------------------------

-- A queue moves by a thousand at once: each gets few bytes, and is not described.
local function send_position(user, location, ticket)
    post_event({ event = EVENT.queued, user = user.uuid, location = location, ticket = tonumber(ticket) },
        { user }, {})
end

-- Send their positions to those of *users*, who stand in front, that are not served yet.
local function send_front(users)
    local position = 0
    for _, user in ipairs(users) do
        if user.waiter == '' then
            call('HSET', TOLD, user.uuid, position)
            send_position(user, position, waits(user))
            position = position + 1
        end
    end
end
