-- A waiter belongs to other departments from now on.
-- ARG.waiter
-- ARG.departments  a list of `Member` (`departments.py`) in msgpack, or ''

local refused = open()
if refused then
    return refused
end
local waiter = as(ROLE.waiter, ARG.waiter)
if waiter then
    assign(waiter, ARG.departments)
    match()
end
return close()
