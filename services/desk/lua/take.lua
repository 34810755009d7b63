-- A waiter takes a user who waits, whoever is before it.
-- ARGV[8] user  [9] waiter
-- Answers: 1; 0 when the user does not wait, or is away; 'full' when the waiter serves as many as
-- it may; 'settling' while it is not known who serves whom. An error NOBODY when there is no such
-- waiter.

local refused = open()
if refused then
    return refused
end
local user, waiter = person(ARGV[8]), person(ARGV[9])
if not waiter or waiter.role ~= 'waiter' then
    return redis.error_reply('NOBODY no such waiter')
end
if desk.settles > desk.time then
    return close({ 'settling' })
end
if not user or user.role ~= 'user' or not here(user) or not waits(user) then
    return close({ 0 })
end
if tonumber(waiter.load) >= (tonumber(waiter.capacity) or 0) then
    return close({ 'full' })
end
strike(user)
bring_together(user, waiter)
return close({ 1 })
