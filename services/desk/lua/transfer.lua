-- A waiter hands a user over, to another waiter or to a department.
-- ARG.user, ARG.waiter
-- ARG.to_waiter   or ''
-- ARG.department  '=' and to which department; or ''
-- Answers: 1; 0 when the waiter does not serve the user, the other one is not here, or there is no
-- such department; ANSWER.full when the other one serves as many as it may; ANSWER.settling while it
-- is not known who serves whom; ANSWER.earlier while a worker of the desk cannot read this.

local refused = open()
if refused then
    return refused
end
local user, giver = as(ROLE.user, ARG.user), as(ROLE.waiter, ARG.waiter)
if not user or not giver or user.waiter ~= giver.uuid then
    return close(0)
end
if desk.settles > desk.time then
    return close(ANSWER.settling)
end
if desk.rules == 0 then -- `configure` asks whether all can read departments
    return close(ANSWER.earlier)
end
local to = ARG.department == '' and as(ROLE.waiter, ARG.to_waiter)
local department = string.sub(ARG.department, 2)
if ARG.department == '' then
    if not to or to.uuid == giver.uuid or not here(to) then
        return close(0)
    elseif tonumber(to.load) >= (tonumber(to.capacity) or 0) then
        return close(ANSWER.full)
    end
elseif known(department) ~= department then
    return close(0)
end

unlink(user, giver, to)
set(user, FIELD.since, desk.time)
post_event({ event = EVENT.parted, user = user.uuid, waiter = giver.uuid, gone = giver.uuid,
    reason = REASON.transferred, requeued = true, talk = given(user.talk) }, { user, giver })
if to then
    bring_together(user, to)
    match()
else
    local route = route_of(user)
    set_route(user, entrance(department), route.asked, route.priority, nil, giver.uuid)
    stand_in_front({ user })
    match()
    send_positions({ user })
end
return close(1)
