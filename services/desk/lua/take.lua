-- A waiter takes a user who waits, whoever is before it.
-- ARG.user, ARG.waiter
-- Answers: 1; 0 when the user does not wait in a department of the waiter, or is away; ANSWER.full when the waiter serves as
-- many as it may; ANSWER.settling while it is not known who serves whom. An error REFUSED.nobody
-- when there is no such waiter.

local refused = open()
if refused then
    return refused
end
local waiter = as(ROLE.waiter, ARG.waiter)
if not waiter then
    return nobody(ROLE.waiter)
end
if desk.settles > desk.time then
    return close(ANSWER.settling)
end
local user = as(ROLE.user, ARG.user)
if not user or not here(user) or not waits(user) or not belongs(waiter, route_of(user).department) then
    return close(0)
end
if tonumber(waiter.load) >= (tonumber(waiter.capacity) or 0) then
    return close(ANSWER.full)
end
strike(user)
bring_together(user, waiter)
return close(1)
