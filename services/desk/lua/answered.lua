-- A waiter has written something to a user that it serves.
-- ARG.user

local refused = open()
if refused then
    return refused
end
local user = as(ROLE.user, ARG.user)
if user and user.waiter ~= '' then
    await_no_answer(user)
end
return close()
