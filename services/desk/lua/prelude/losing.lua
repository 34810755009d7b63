-- Stands before the scripts by which workers lose connections of participants, and by which
-- participants are away.

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
        call('ZREM', PREFIX .. KEY.here, one.uuid)
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
