-- The first worker of a desk takes up what the history remembers. Everybody is absent; users
-- without a waiter stand in front.
-- ARGV[8] the memory (see taking_up.lua)

local refused = open()
if refused then
    return refused
end
if call('HSETNX', DESK, 'restored', 1) == 0 then
    return close({})
end
local memory = cjson.decode(ARGV[8])
for _, one in ipairs(memory.people) do
    if not call('HGET', STANDING, one[2] .. ':' .. one[3]) and not person(one[1]) then
        take_up_person(one)
    end
end
for _, chat in ipairs(memory.chats) do
    take_up_chat(person(chat[1]), person(chat[2]))
end
local waiting = {}
for _, one in ipairs(taken_up) do
    if one.role == 'user' and one.waiter == '' then
        set(one, 'begun', '1')
        waiting[#waiting + 1] = one
    end
end
stand_in_front(waiting)
begin_their_grace()
return close({})
