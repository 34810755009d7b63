-- A waiter keeps its users and gets no more.
-- ARGV[8] waiter  [9] how many it may serve at once, or ''
-- Answers: how many at once. An error NOBODY when there is no such waiter.

local refused = open()
if refused then
    return refused
end
local waiter = person(ARGV[8])
if not waiter or waiter.role ~= 'waiter' then
    return redis.error_reply('NOBODY no such waiter')
end
local duty = on_duty(waiter)
set(waiter, 'ready', '')
if ARGV[9] ~= '' then
    set(waiter, 'capacity', ARGV[9])
end
count_duty(waiter, duty)
refresh(waiter)
tell_siblings('R', waiter, { waiter.uuid, false, waiter.capacity })
return close({ waiter.capacity })
