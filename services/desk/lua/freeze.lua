-- All pages of a waiter at the calling worker stand still, or one shows life again.
-- ARG.waiter
-- ARG.frozen  '1' or ''
-- Answers: nothing.

local refused = open()
if refused then
    return refused
end
local waiter = as(ROLE.waiter, ARG.waiter)
if not waiter or not holds(waiter, me) then
    return close()
end
local duty = on_duty(waiter)
set_frozen(waiter, me, ARG.frozen == '1')
count_duty(waiter, duty)
refresh(waiter)
match()
return close()
