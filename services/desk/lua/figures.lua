-- How busy the desk is.
-- Answers: waiters, those ready, users served, users in line, µs that the first has waited.

local refused = open()
if refused then
    return refused
end
local first, wait = call('ZRANGE', LINE, 0, 0)[1], 0
if first then
    wait = desk.time - tonumber(person(first).since)
end
return close({ desk.waiters, desk.ready, desk.served, call('ZCARD', LINE), wait })
