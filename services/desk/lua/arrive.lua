-- A subject is here, with a connection at the calling worker.
-- ARG.role, ARG.subject
-- ARG.uuid     of a new participant
-- ARG.name, ARG.avatar  what others know it by; the avatar is the address of a picture, or ''
-- ARG.address  where it comes from, or ''
-- ARG.departments  of a waiter: where it belongs, a list of `Member` in msgpack; or ''
-- Answers: an `Arrival` (`standing.py`). *place* only where the worker does not know it already;
-- *home* only where no worker holds connections of it.

local refused = open()
if refused then
    return refused
end

local role, subject, uuid = ARG.role, ARG.subject, ARG.uuid
desk.came = math.max(desk.came + 1, wall) -- it grows even when all has been lost
local standing = call('HGET', STANDING, role .. ':' .. subject)
if not standing then
    local newcomer = create(role, subject, uuid, ARG.name, ARG.avatar)
    if role == ROLE.user then
        set(newcomer, FIELD.address, ARG.address)
    else
        assign(newcomer, ARG.departments)
    end
    gain(newcomer, me)
    return close(cmsgpack.pack({ uuid = uuid, standing = false, came = desk.came }))
end

local one = participant(standing)

local function update(field, value)
    if one[field] ~= value then
        set(one, field, value)
    end
end

update(FIELD.name, ARG.name)
update(FIELD.avatar, ARG.avatar)
if role == ROLE.user then
    update(FIELD.address, ARG.address)
elseif one.route ~= ARG.departments then
    assign(one, ARG.departments)
    match()
end

-- How it stands, as `Place` in `standing.py`.
local function place()
    local conversations = {}
    for i, other in ipairs(others(one)) do
        local user = one.role == ROLE.waiter and other or one
        conversations[i] = { other = described(other), talk = given(user.talk) or 0,
            decided = fresh_match(user) }
    end
    local ticket = role == ROLE.user and waits(one)
    local route = role == ROLE.user and route_of(one) or nil
    local position = role == ROLE.user and call('HGET', TOLD, standing)
    return { chats = conversations, talk = given(one.talk), begun = one.begun == '1',
        ticket = ticket and tonumber(ticket) or nil, location = tonumber(position or '0'),
        ready = one.ready == '1', capacity = given(one.capacity),
        department = route and given(route.department), asked = route and given(route.asked),
        priority = route and route.priority or nil, last_waiter = given(one.last),
        number = desk.decided, language = given(one.language) }
end

local arrival = { uuid = standing, standing = true, came = desk.came, elsewhere = without(one, me) }
if not holds(one, me) then
    local former_home = given(one.home)
    if not here(one) and former_home and former_home ~= me and leased(former_home) then
        arrival.home = former_home
    end
    if former_home ~= me or here(one) then -- otherwise this worker has known it all the time
        arrival.place = place()
    end
    gain(one, me)
    post_move(one, me, former_home)
    match()
end
return close(cmsgpack.pack(arrival))
