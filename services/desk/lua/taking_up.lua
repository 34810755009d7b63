-- Stands behind the prelude in `recall` and `restore`: take up people and chats as somebody
-- remembers them. Every step leaves alone what the desk knows already.
--
-- A memory is { people = [[uuid, role, subject, name, present, own, ready, capacity, ticket,
-- talk, elsewhere, next talk, address, avatar,
-- question, page], …], chats = [[user, waiter, talk], …] }: *present*, it
-- has sockets at the caller; *own*, the caller speaks for it, and not only of it; *elsewhere*, the other
-- workers with sockets of it, as the caller has heard; *next talk*, of a user in line, in case
-- others have ended its talk. Numbers are text, '' for none.

local taken_up = {} -- those who were not known before

local function take_up_person(one)
    local uuid, role, subject, name, _, own, ready, most = unpack(one)
    create(role, subject, uuid, name, one[14] or '')
    taken_up[#taken_up + 1] = person(uuid)
    if role == 'user' then
        set(person(uuid), 'talk', one[10])
        set(person(uuid), 'address', one[13] or '')
        set(person(uuid), 'question', one[15] or '')
        set(person(uuid), 'page', one[16] or '')
    elseif own then
        set(person(uuid), 'ready', ready and '1' or '')
        set(person(uuid), 'capacity', most ~= '' and most or capacity)
    else
        set(person(uuid), 'capacity', '') -- until its own worker says it: so many as come
    end
end

-- A chat that was under way goes on, if both sides are there and the user is free for it: a
-- waiter keeps its users, however many they are.
local function take_up_chat(user, waiter)
    if not user or not waiter or user.waiter ~= '' or waits(user) then
        return
    end
    link(user, waiter)
    local workers, known = {}, { [me] = true } -- others have joined before, and not known of it
    for _, one in ipairs({ user, waiter }) do
        for _, worker in ipairs(hearers(one)) do
            if not known[worker] then
                known[worker] = true
                workers[#workers + 1] = worker
            end
        end
    end
    if #workers > 0 then
        write('M', { user, waiter }, { user.uuid, waiter.uuid, '0', user.talk }, workers)
    end
end

local function begin_their_grace()
    for _, one in ipairs(taken_up) do
        if not here(one) then
            begin_grace(one)
        end
    end
end
