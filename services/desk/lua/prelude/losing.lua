-- Stands before the scripts by which workers lose connections of participants, and by which
-- participants are away.

-- *one* has no connection at *worker* any more; with the last one it is away. *absence*: one of ABSENCE.
-- *sleep*: ms that it is waited for if it is a user who is served; ''
local function lose(one, worker, absence, sleep)
    local duty = on_duty(one)
    call('SREM', held_by(worker), one.uuid)
    set(one, FIELD.at, table.concat(without(one, worker), ' '))
    if one.frozen ~= '' then
        set_frozen(one, worker, false)
    end
    if one.role == ROLE.waiter then
        count_duty(one, duty)
        refresh(one)
    end
    if absence == ABSENCE.spoken and one.role == ROLE.user then
        set(one, FIELD.spoken, '1')
    end
    if here(one) then
        return
    end
    set(one, FIELD.home, worker)
    if (sleep or '') ~= '' and one.role == ROLE.user and one.waiter ~= '' then
        set(one, FIELD.sleep, sleep)
    end
    local is_silent = one.role == ROLE.user and one.spoken ~= '1'
    begin_grace(one, is_silent and absence == ABSENCE.anonymous)
    if one.role == ROLE.waiter then
        call('ZREM', PREFIX .. KEY.here, one.uuid)
    else
        withhold(one)
        local due = one.waiter ~= '' and call('ZSCORE', UNANSWERED, one.uuid)
        if due then
            call('ZREM', UNANSWERED, one.uuid)
            set(one, FIELD.unanswered, math.max(0, tonumber(due) - desk.time))
        end
        if is_silent and (absence == ABSENCE.silent or absence == ABSENCE.anonymous) then
            yield(one)
        end
    end
end

-- The caller has no connection of *one* any more. It is sent who has some: then it may forget *one*.
local function lose_here(one, absence, sleep)
    lose(one, me, absence, sleep)
    if here(one) then
        post_move(one, '', me)
    else
        post_move(one, me)
    end
end
