-- A user asks for a waiter: it is matched, or takes its place in line.
-- ARGV[8] user  [9] the ticket of a place that it had, or ''  [10] its conversation, or ''
-- Answers: 'full' when the line is. An error NOBODY when there is no such user.

local refused = open()
if refused then
    return refused
end
local user = person(ARGV[8])
if not user or user.role ~= 'user' then
    return redis.error_reply('NOBODY no such user')
end
if user.waiter ~= '' or waits(user) then
    return close({})
end
local free = call('ZRANGE', FREE, 0, 0)[1]
if not free and call('ZCARD', LINE) >= max_queue then
    return close({ 'full' })
end
if user.talk == '' then
    set(user, 'talk', ARGV[10])
end
if free and here(user) and desk.settles <= desk.time and call('ZCARD', TAKEABLE) == 0 then
    set(user, 'since', desk.time)
    bring_together(user, person(free)) -- nobody is before it
    return close({})
end
local ahead = stand(user, good(user, tonumber(ARGV[9])))
match()
if user.waiter == '' then
    tell_place(user, ahead, waits(user))
end
return close({})
