-- Matching: free waiters and waiting users are brought together.

-- Bring free waiters and waiting users of each department together, while there are both.
local function match()
    if desk.settles > desk.time then
        return
    end
    seats = nil
    if desk.apart > 0 or desk.handed > 0 then
        match_in_departments()
    end
    while desk.apart == 0 and desk.handed == 0 do -- in one queue: who is first is who is taken
        local free = first_free('')
            or seats_to_give() > 0 and call('ZCARD', TAKEABLE) > 0 and make_room_with_a_waiter('')
        local uuid = free and call('ZPOPMIN', TAKEABLE)[1]
        if not uuid then
            break
        end
        local user = participant(uuid)
        call('ZREM', QUEUE, uuid)
        call('HDEL', TOLD, uuid)
        watch(user, false)
        desk.stale = 1
        bring_together(user, last_waiter(user, '') or participant(free))
    end
    desk.settles = 0
end
