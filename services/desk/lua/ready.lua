-- A waiter takes users from now on.
-- ARG.waiter
-- ARG.capacity  how many it may serve at once, or ''
-- Answers: how many at once. An error REFUSED.nobody when there is no such waiter.

local refused = open()
if refused then
    return refused
end
local waiter = as(ROLE.waiter, ARG.waiter)
if not waiter then
    return nobody(ROLE.waiter)
end
set_ready(waiter, true, ARG.capacity)
send_duty(waiter)
match()
return close(tonumber(waiter.capacity))
