-- A subject is here, with a socket at the calling worker.
-- ARGV[8] role  [9] subject  [10] the UUID of somebody new  [11] name  [12] address, or ''
-- ARGV[13] the address of a picture, or ''
-- Answers: its UUID, 1 if it stood already, its place as JSON ('' if the worker knows it or
-- there is none), the other workers that hold sockets of it, the number of its coming, and
-- where no other worker holds any, the one that was the last to hold some.

local refused = open()
if refused then
    return refused
end
local role, subject, uuid, name, address = ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12] or ''
local avatar = ARGV[13] or ''
desk.came = math.max(desk.came + 1, wall) -- it grows even when all has been lost
local standing = call('HGET', STANDING, role .. ':' .. subject)
if not standing then
    local newcomer = create(role, subject, uuid, name, avatar)
    if role == 'user' then
        set(newcomer, 'address', address)
    end
    gain(newcomer, me)
    return close({ uuid, 0, '', '', text(desk.came), '' })
end

local one = person(standing)
local elsewhere, place, former_home, last = {}, '', one.home, ''
if one.name ~= name then
    set(one, 'name', name)
end
if one.avatar ~= avatar then
    set(one, 'avatar', avatar)
end
if role == 'user' and one.address ~= address then
    set(one, 'address', address)
end
for _, worker in ipairs(words(one.at)) do
    if worker ~= me then
        elsewhere[#elsewhere + 1] = worker
    end
end
if not holds(one, me) then
    if not here(one) and one.home ~= '' and one.home ~= me and leased(one.home) then
        last = one.home
    end
    if one.home ~= me or here(one) then -- otherwise this worker has known it all the time
        local chats, ticket, told = {}, false, false
        for i, other in ipairs(others(one)) do
            local talk = one.role == 'waiter' and other.talk or one.talk
            chats[i] = { other.uuid, other.role, other.subject, other.name, other.at, other.avatar,
                talk }
        end
        if role == 'user' then
            ticket, told = waits(one), call('HGET', TOLD, standing)
        end
        place = cjson.encode({ chats = chats, talk = one.talk, begun = one.begun == '1', ticket = ticket or '',
            location = told or '0', ready = one.ready == '1', capacity = one.capacity })
    end
    gain(one, me)
    tell_move(one, me, former_home ~= '' and former_home or nil)
    match()
end
return close({ standing, 1, place, table.concat(elsewhere, ' '), text(desk.came), last })
