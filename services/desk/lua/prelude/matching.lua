-- Which waiter is free, and who serves whom.

local LOAD = 4398046511104 -- 2^42: a free waiter's load weighs more than its turn

-- Put *waiter* where it belongs now; behind its equals if its load has changed.
local function refresh(waiter)
    local load = tonumber(waiter.load)
    local limit = tonumber(waiter.capacity)
    local bucket = ''
    if on_duty(waiter) and limit and load < limit then
        bucket = waiter.load
    end
    if bucket == waiter.bucket then
        return
    end
    set(waiter, FIELD.bucket, bucket)
    if bucket == '' then
        call('ZREM', FREE, waiter.uuid)
    else
        desk.turn = desk.turn + 1
        call('ZADD', FREE, load * LOAD + desk.turn, waiter.uuid)
    end
end

local function link(user, waiter)
    set(user, FIELD.waiter, waiter.uuid)
    set(user, FIELD.begun, '1')
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
        waited = (desk.time - tonumber(user.since)) / 1000000, talk = given(user.talk) },
        { user, waiter })
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

-- A waiter who has become free because another user needs the seat of an absent one, or nil.
-- On its return that user is sent that its waiter is gone, and stands in front. A few seats are
-- not given away: pages of honest visitors may be loading.
local function make_room_with_a_waiter()
    local last = call('ZCARD', SEATS) - math.max(1, math.floor(desk.served / CONSTANT.seats_kept)) - 1
    if last < 0 or call('ZCARD', TAKEABLE) == 0 then
        return nil
    end
    for _, uuid in ipairs(call('ZRANGE', SEATS, 0, last)) do
        local user = participant(uuid)
        local waiter = participant(user.waiter)
        if on_duty(waiter) and tonumber(waiter.load) <= (tonumber(waiter.capacity) or 0) then
            unlink(user, waiter)
            send_part(user, waiter, waiter.uuid, true, true)
            stand_in_front({ user })
            send_front({ user })
            return waiter.uuid
        end
    end
    return nil
end

-- Bring free waiters and waiting users together until one of them runs out.
local function match()
    if desk.settles > desk.time then
        return
    end
    while true do
        local free = call('ZRANGE', FREE, 0, 0)[1] or make_room_with_a_waiter()
        local uuid = free and call('ZPOPMIN', TAKEABLE)[1]
        if not uuid then
            return
        end
        call('ZREM', QUEUE, uuid)
        call('HDEL', TOLD, uuid)
        desk.stale = 1
        bring_together(participant(uuid), participant(free))
    end
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
    send_front(users)
end
