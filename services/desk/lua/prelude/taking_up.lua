-- Stands before `recall` and `restore`: take up participants and conversations as a worker or the history
-- remembers them (`Memory` in `letters.py`). Every step leaves alone what the desk knows already.

local taken_up = {} -- those who were not known before

-- Where *user* is to stand: in the department in which it has stood, if that is there.
local function take_up_route(user, remembered)
    local priority = desk.rules > 0 and remembered.priority or 0
    set_route(user, known(remembered.department or ''), remembered.asked or '', priority)
    if user.last == '' and remembered.last_waiter then
        set(user, FIELD.last, remembered.last_waiter)
    end
end

-- Where a waiter is to stand, as it is stored.
local function packed_members(remembered)
    return remembered.departments and cmsgpack.pack(remembered.departments) or ''
end

local function take_up_participant(remembered)
    local one = create(remembered.role, remembered.subject, remembered.uuid, remembered.name,
        remembered.avatar or '')
    taken_up[#taken_up + 1] = one
    if one.role == ROLE.user then
        set(one, FIELD.talk, remembered.talk or '')
        set(one, FIELD.begun, remembered.begun and '1' or '')
        set(one, FIELD.address, remembered.address or '')
        set(one, FIELD.question, remembered.question or '')
        set(one, FIELD.page, remembered.page or '')
        set(one, FIELD.fields, remembered.fields or '')
        set(one, FIELD.language, remembered.language or '')
        set(one, FIELD.sleep, remembered.sleep or '')
        take_up_route(one, remembered)
    elseif remembered.own then
        assign(one, packed_members(remembered))
        set(one, FIELD.ready, remembered.ready and '1' or '')
        set(one, FIELD.capacity, remembered.capacity or ARG.usual_capacity)
    else
        set(one, FIELD.capacity, '') -- until its own worker says it: so many as come
    end
end

-- A conversation that was under way goes on, if both sides are there and the user is free for it:
-- a waiter serves its users on, however many they are. *is_known*: the caller remembers it.
local function take_up_conversation(user, waiter, is_answered, is_known)
    if not user or not waiter or user.waiter ~= '' or waits(user) then
        return
    end
    link(user, waiter)
    if is_answered then
        await_no_answer(user)
    end
    local workers, seen = {}, { [me] = is_known } -- workers that have joined before did not know of it
    for _, one in ipairs({ user, waiter }) do
        for _, worker in ipairs(recipients(one)) do
            if not seen[worker] then
                seen[worker] = true
                workers[#workers + 1] = worker
            end
        end
    end
    if #workers > 0 then
        write({ event = EVENT.matched, user = user.uuid, waiter = waiter.uuid, waited = 0,
            talk = given(user.talk), department = given(route_of(user).department), begun = true },
            { user, waiter }, workers)
    end
end

local function begin_their_grace()
    for _, one in ipairs(taken_up) do
        if not here(one) then
            begin_grace(one)
        end
    end
end
