-- The first worker of a desk takes up what the history remembers. Everybody is absent; users
-- without a waiter stand in front.
-- ARG.memory  a `Memory` (`letters.py`), in msgpack

local refused = open()
if refused then
    return refused
end
if call('HSETNX', DESK, MARK.restored, 1) == 0 then
    return close()
end
local memory = cmsgpack.unpack(ARG.memory)
for _, one in ipairs(memory.people) do
    if not call('HGET', STANDING, one.role .. ':' .. one.subject) and not participant(one.uuid) then
        take_up_participant(one)
    end
end
for _, conversation in ipairs(memory.chats) do
    local user = participant(conversation.user)
    if user and user.talk == conversation.talk then -- else a worker knows that it has ended
        take_up_conversation(user, participant(conversation.waiter), conversation.answered)
    end
end
local waiting = {}
for _, one in ipairs(taken_up) do
    if one.role == ROLE.user and one.waiter == '' then
        set(one, FIELD.begun, '1')
        waiting[#waiting + 1] = one
    end
end
stand_in_front(waiting)
begin_their_grace()
return close()
