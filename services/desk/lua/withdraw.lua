-- A user leaves the queue.
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
give_place_back(user)
post_to_siblings({ event = EVENT.withdrawn, user = user.uuid }, user)
return close(1)
