-- Stands before the scripts by which participants leave the desk.

-- The users of a waiter who has departed are sent so, and queued again where it was lost.
local function lose_users(waiter, requeue)
    local users = {}
    for i, uuid in ipairs(users_of(waiter)) do
        users[i] = participant(uuid)
        set(users[i], FIELD.waiter, '')
        unseat(users[i])
        await_no_answer(users[i])
        desk.served = desk.served - 1
        send_part(users[i], waiter, waiter.uuid, requeue, requeue and REASON.lost or nil)
    end
    call('DEL', users_key(waiter))
    if not requeue or #users == 0 then
        return
    end
    stand_in_front(users)
    match()
    send_positions(users)
end

-- *one* departs. *lost*: it did not go on purpose.
local function depart(one, lost)
    call('ZREM', GRACE, one.uuid)
    call('HDEL', STANDING, one.role .. ':' .. one.subject)
    if one.role == ROLE.waiter then
        desk.waiters = desk.waiters - 1
        desk.ready = desk.ready - (on_duty(one) and 1 or 0)
        call('ZREM', DUTY, one.uuid)
        call('ZREM', PREFIX .. KEY.here, one.uuid)
        leave_departments(one, members_of(one))
        lose_users(one, lost)
    else
        strike(one)
        yield_no_more(one)
        give_place_back(one)
        if one.waiter ~= '' then
            part(one, participant(one.waiter), one.uuid, lost and REASON.lost or nil)
        end
    end
    post_event({ event = EVENT.departed, participant = one.uuid,
        reason = lost and REASON.lost or REASON.left, talk = one.begun == '1' and given(one.talk) or nil,
        asked = given(one.talk or '') }, { one })
    for _, worker in ipairs(words(one.at)) do
        call('SREM', held_by(worker), one.uuid)
    end
    call('DEL', key_of(one.uuid))
    participants[one.uuid], changes[one.uuid] = false, nil
    match()
end
