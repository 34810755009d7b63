-- Who waits.
-- ARG.most  at most how many
-- ARG.departments  in which departments: a list in msgpack; or '' for that of those who ask for none
-- Answers: a `Queue` (`port.py`): how many wait, the absent included, and the first ones of those
-- who are here, by their priority, then in the order of their tickets.

local refused = open()
if refused then
    return refused
end
local most = tonumber(ARG.most)
local departments = ARG.departments == '' and { '' } or cmsgpack.unpack(ARG.departments)

-- The first users of this priority who are here; *room*: how many at most.
local function first_ones(priority, room)
    local found = {}
    for _, department in ipairs(departments) do
        local key = key_in(TAKEABLE, department, priority)
        local some = call('ZRANGE', key, 0, room - 1, 'WITHSCORES')
        for i = 1, #some, 2 do
            found[#found + 1] = { uuid = some[i], ticket = tonumber(some[i + 1]) }
        end
    end
    if #departments > 1 then
        table.sort(found, function(first, second)
            return first.ticket < second.ticket
        end)
    end
    return found
end

local length, users = 0, {}
for _, department in ipairs(departments) do
    length = length + length_of(department)
end
for _, priority in ipairs(priorities()) do
    local room = most - #users
    for i, found in ipairs(room > 0 and first_ones(priority, room) or {}) do
        if i > room then
            break
        end
        local one = participant(found.uuid)
        local joined = wall - (desk.time - tonumber(one.since))
        users[#users + 1] = { uuid = found.uuid, name = one.name, avatar = one.avatar,
            question = one.question, page = one.page, since = math.floor(joined / 1000),
            subject = one.subject, department = given(route_of(one).department),
            fields = given(one.fields) }
    end
end
return close(cmsgpack.pack({ length = length, users = users }))
