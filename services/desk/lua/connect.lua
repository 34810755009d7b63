-- A user asks for a waiter: it is matched, or takes its position in the queue.
-- ARG.user
-- ARG.ticket    of a position that it had, or ''
-- ARG.conversation  its conversation, or ''
-- ARG.places    how many places the users of one address may hold; 0: no bound
-- ARG.question  '=' and what waiters are shown of its question, or ''
-- ARG.page      where it asks from, or ''
-- ARG.fields    what it has filled in, or ''
-- ARG.route     department, department that it asks for, priority, subject of its last waiter, and
--               whether it stays where it waits, and its language, in msgpack; '' for a user who
--               names nothing (`Route` in `departments.py`)
-- Answers: the number of the conversation that begins with it, or nothing where none does, or
-- ANSWER.full when its queue is, or ANSWER.address_full. An error REFUSED.nobody when there is no
-- such user.

local STEP = 1048577 -- a ms and one: see `ascending`

local refused = open()
if refused then
    return refused
end
local user = as(ROLE.user, ARG.user)
if not user then
    return nobody(ROLE.user)
end

-- Set its question, its page and its fields; what it does not name stays as it was.
local function set_question()
    if ARG.question ~= '' then
        set(user, FIELD.question, string.sub(ARG.question, 2))
    end
    if ARG.page ~= '' then
        set(user, FIELD.page, ARG.page)
    end
    if ARG.fields ~= '' then
        set(user, FIELD.fields, ARG.fields)
    end
end

-- A name for a conversation, *proposed* by the caller's clock, or after all names that were given
-- where that is behind. They have more digits than a number of Lua's holds, and equally many; the
-- step is one that no worker takes by itself (`Own.next_conversation`).
local function ascending(proposed)
    local last = call('HGET', DESK, MARK.named) or ''
    if proposed ~= '' and #last == #proposed and last >= proposed then
        call('HINCRBY', DESK, MARK.named, STEP)
        return call('HGET', DESK, MARK.named)
    end
    if proposed ~= '' then
        call('HSET', DESK, MARK.named, proposed)
    end
    return proposed
end

-- The user of its address who has been away the longest and has written nothing.
local function yielding_neighbour()
    local found, longest
    for _, uuid in ipairs(call('SMEMBERS', places_of(user.address))) do
        local order = call('ZSCORE', SEATS, uuid) or call('ZSCORE', WAITS, uuid)
        if order and (not longest or tonumber(order) < longest) then
            found, longest = uuid, tonumber(order)
        end
    end
    return found
end

-- The user in the queue who has been away the longest and has written nothing; in that of
-- *department*, if that is given.
local function yielding_in_queue(department)
    for _, uuid in ipairs(call('ZRANGE', WAITS, 0, CONSTANT.batch)) do
        local one = participant(uuid)
        if (not department or route_of(one).department == department) and waits(one) then
            return uuid
        end
    end
end

-- Whether one more user may wait in *department*; of those who have written nothing the longest
-- absent one makes room.
local function make_room_in(department)
    local rule = rule_of(department)
    local most = rule and rule.max_queue or 0
    if most == 0 or length_of(department) < most or first_free(department) then
        return true
    end
    local uuid = yielding_in_queue(department)
    if uuid then
        depart(participant(uuid), true)
    end
    return uuid
end

-- *ticket* unless it is void.
local function good(user, ticket)
    local mark = ticket and call('ZSCORE', VOID, redis.sha1hex(user.subject))
    return not (mark and math.abs(ticket) <= tonumber(mark)) and ticket or nil
end

-- Stand where *ticket* says, or at the back; returns how many are ahead.
local function stand_by(user, ticket)
    local route, ahead = route_of(user)
    if ticket or route.priority > 0 then
        ticket = ticket and math.min(ticket, wall)
        change(route.department)
    end
    if not ticket or ticket > desk.back then
        ahead = ahead_of(route.department, route.priority)
        desk.back = math.max(next_number(), ticket or 0)
        ticket = desk.back
    else
        desk.front = math.min(desk.front, ticket)
        ahead = ahead_of(route.department, route.priority, text(ticket))
    end
    set(user, FIELD.since, desk.time)
    stand(user, ticket, ahead)
    return ahead
end

-- Whether a user can be taken who waits in *department* already.
local function anybody_before(department)
    return department == '' and call('ZCARD', TAKEABLE) > 0
        or desk.apart > 0 and call('HEXISTS', PREFIX .. KEY.wanted, department) == 1
end

-- *user* waits where its route says, unless it is served at once.
local function wait_for_a_waiter(user, ticket)
    local department = route_of(user).department
    local ahead = stand_by(user, ticket)
    match()
    if user.waiter == '' then
        send_position(user, ahead, waits(user), department)
    end
end

local department, asked, priority, last, stays, language = '', '', 0, '', true, ''
if ARG.route ~= '' then
    department, asked, priority, last, stays, language = unpack(cmsgpack.unpack(ARG.route))
    priority = desk.rules > 0 and priority or 0
end

if user.waiter ~= '' then
    return close()
end
if language and language ~= '' and language ~= user.language then
    set(user, FIELD.language, language)
end
if waits(user) then
    set_question()
    if not stays and asked ~= route_of(user).asked then
        local route = route_of(user)
        department = entrance(department)
        if department == route.department then
            set_route(user, department, asked, route.priority, route.entered, route.giver)
            return close()
        end
        if not make_room_in(department) then
            return close(ANSWER.full)
        end
        strike(user, true)
        spend(user) -- its tickets were for the other department
        set_route(user, department, asked, priority)
        wait_for_a_waiter(user)
    end
    return close()
end

local bound = tonumber(ARG.places)
if bound > 0 and user.address ~= '' and call('SCARD', places_of(user.address)) >= bound then
    local uuid = yielding_neighbour()
    if not uuid then
        return close(ANSWER.address_full)
    end
    depart(participant(uuid), true)
end
department = entrance(department)
if not make_room_in(department) then
    return close(ANSWER.full)
end
local free = first_free(department)
if not free and call('ZCARD', QUEUE) + desk.apart >= tonumber(ARG.max_queue) then
    local uuid = yielding_in_queue()
    if not uuid then
        return close(ANSWER.full)
    end
    depart(participant(uuid), true)
end
if bound > 0 then
    hold_place(user)
end
if user.talk == '' then
    set(user, FIELD.talk, ascending(ARG.conversation))
end
local number = user.talk -- which a conversation that ends at once takes along
set_route(user, department, asked, priority)
if user.last == '' and last ~= '' then
    set(user, FIELD.last, last)
end
set(user, FIELD.page, '')
if user.fields ~= '' then
    set(user, FIELD.fields, '')
end
set_question() -- also of a user who is served at once: its waiter may be lost, and it waits again
if free and here(user) and desk.settles == 0 and not anybody_before(department) then
    set(user, FIELD.since, desk.time)
    bring_together(user, last_waiter(user, department) or participant(free)) -- nobody is before it
    return close(number)
end
wait_for_a_waiter(user, good(user, tonumber(ARG.ticket)))
return close(number)
