-- One of the two ends a conversation.
-- ARG.user, ARG.waiter
-- ARG.gone  which of them
-- Answers: 1, or 0 when the two have no conversation.

local refused = open()
if refused then
    return refused
end
local user = as(ROLE.user, ARG.user)
if not user or user.waiter ~= ARG.waiter or ARG.waiter == '' then
    return close(0)
end
part(user, participant(ARG.waiter), ARG.gone)
match()
return close(1)
