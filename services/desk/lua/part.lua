-- One of the two ends a conversation.
-- ARG.user, ARG.waiter
-- ARG.gone    which of them
-- ARG.reason  why; '' where that one has done it on purpose
-- Answers: 1, or 0 when the two have no conversation.

local refused = open()
if refused then
    return refused
end
local user = as(ROLE.user, ARG.user)
if not user or user.waiter ~= ARG.waiter or ARG.waiter == '' then
    return close(0)
end
local reason = desk.rules > 0 and given(ARG.reason) or nil -- `configure`: all workers can read it
part(user, participant(ARG.waiter), ARG.gone, reason)
match()
return close(1)
