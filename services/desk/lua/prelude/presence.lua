-- Coming and going: which workers hold connections of a participant, and what follows.

local function holds(one, worker)
    for _, holder in ipairs(words(one.at)) do
        if holder == worker then
            return true
        end
    end
    return false
end

-- The workers that hold connections of *one*, but for this one.
local function without(one, worker)
    local found = {}
    for _, holder in ipairs(words(one.at)) do
        if holder ~= worker then
            found[#found + 1] = holder
        end
    end
    return found
end

-- *one* has connections at *worker* from now on. Does not match yet.
local function gain(one, worker)
    local duty, came = on_duty(one), not here(one)
    if one.role == ROLE.waiter and one.capacity == '' then -- only its users' workers had handed it over
        set(one, FIELD.capacity, ARG.usual_capacity)
    end
    set(one, FIELD.at, came and worker or (one.at .. ' ' .. worker))
    set(one, FIELD.home, worker)
    call('SADD', held_by(worker), one.uuid)
    if not came then
        return
    end
    call('ZREM', GRACE, one.uuid)
    if one.role == ROLE.waiter then
        count_duty(one, duty)
        refresh(one)
    else
        yield_no_more(one)
        local ticket = waits(one)
        if ticket then
            offer(one, ticket)
        end
    end
end

-- The score in GRACE of a grace period that ends at this ms; those who go within the same ms
-- keep their order, because a counter counts on from it.
local function grace_score(ms)
    return ms * 1024
end

-- *one* is away from now on, and waited for.
local function begin_grace(one, is_brief)
    local grace = tonumber(ARG.grace)
    is_brief = is_brief and CONSTANT.anonymous_grace < grace
    local counter = is_brief and COUNTER.briefed or COUNTER.graced
    local length = is_brief and CONSTANT.anonymous_grace or grace
    local score = grace_score(math.floor(desk.time / 1000) + length)
    desk[counter] = math.max(score, desk[counter] + 1)
    call('ZADD', GRACE, desk[counter], one.uuid)
end

-- *one* has no connection at *worker* any more; with the last one it is away. *claim*: one of CLAIM.
local function lose(one, worker, claim)
    local duty = on_duty(one)
    call('SREM', held_by(worker), one.uuid)
    set(one, FIELD.at, table.concat(without(one, worker), ' '))
    if claim == CLAIM.spoken and one.role == ROLE.user then
        set(one, FIELD.spoken, '1')
    end
    if here(one) then
        return
    end
    set(one, FIELD.home, worker)
    local is_silent = one.role == ROLE.user and one.spoken ~= '1'
    begin_grace(one, is_silent and claim == CLAIM.anonymous)
    if one.role == ROLE.waiter then
        count_duty(one, duty)
        refresh(one)
    else
        withhold(one)
        if is_silent and (claim == CLAIM.silent or claim == CLAIM.anonymous) then
            yield(one)
        end
    end
end

-- The caller has no connection of *one* any more. It is sent who has some: then it may forget *one*.
local function lose_here(one, claim)
    lose(one, me, claim)
    if here(one) then
        post_move(one, '', me)
    else
        post_move(one, me)
    end
end

-- *one* departs. *lost*: it did not go on purpose.
local function depart(one, lost)
    call('ZREM', GRACE, one.uuid)
    call('HDEL', STANDING, one.role .. ':' .. one.subject)
    if one.role == ROLE.waiter then
        desk.waiters = desk.waiters - 1
        desk.ready = desk.ready - (on_duty(one) and 1 or 0)
        leave_pools(one, members_of(one))
        call('ZREM', DUTY, one.uuid)
        leave_duty(one, members_of(one))
        lose_users(one, lost)
    else
        strike(one)
        yield_no_more(one)
        give_place_back(one)
        if one.waiter ~= '' then
            part(one, participant(one.waiter), one.uuid, lost)
        end
    end
    post_event({ event = EVENT.departed, participant = one.uuid,
        reason = lost and REASON.lost or REASON.left, talk = one.begun == '1' and given(one.talk) or nil },
        { one })
    for _, worker in ipairs(words(one.at)) do
        call('SREM', held_by(worker), one.uuid)
    end
    call('DEL', key_of(one.uuid))
    participants[one.uuid], changes[one.uuid] = false, nil
    match()
end
