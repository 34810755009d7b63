-- A user leaves the queue. If it waited to be served again, its conversation ends.
-- ARG.user
-- Answers: 1, or 0 when it did not wait.

local refused = open()
if refused then
    return refused
end
local user = as(ROLE.user, ARG.user)
if not user or not strike(user) then
    return close(0)
end
spend(user)
post_event({ event = EVENT.withdrawn, user = user.uuid, talk = given(user.talk) }, { user })
forget_conversation(user)
return close(1)
