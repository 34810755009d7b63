-- The departments of the site are these from now on, unless the desk knows later ones.
-- ARG.number  of these rules
-- ARG.rules   department → its rules (`Department` in `departments.py`), in msgpack
-- Answers: 1, or 0 while a worker of the desk cannot read departments.

local READS_DEPARTMENTS = 3 -- what a worker says that reads departments (`port.READS`)

local refused = open()
if refused then
    return refused
end
local number = tonumber(ARG.number) + 1
if number <= desk.rules then
    return close(1)
end
for _, worker in ipairs(call('ZRANGE', WORKERS, 0, -1)) do
    if tonumber(call('HGET', DESK, MARK.reads .. worker) or '1') < READS_DEPARTMENTS then
        return close(0)
    end
end

local now, keys, before = cmsgpack.unpack(ARG.rules), {}, call('HKEYS', PREFIX .. KEY.rules)
for department in pairs(now) do
    keys[#keys + 1] = department
end
table.sort(keys)
table.sort(before)
local waiters = {} -- those who are here and ready, and where they have stood
for _, uuid in ipairs(#keys + #before > 0 and call('ZRANGE', DUTY, 0, -1) or {}) do
    local waiter = participant(uuid)
    waiters[#waiters + 1] = { waiter, members_of(waiter) }
end

-- ---- the rules ----------------------------------------------------------------

local was_known = {}
for _, department in ipairs(before) do
    was_known[department] = true
    call('DEL', DUTY .. ':' .. department)
end
call('DEL', DUTY .. ':')
desk.rules, desk.departments = number, #keys
rules, memberships = {}, {}
call('DEL', PREFIX .. KEY.rules, PREFIX .. KEY.moves)
for _, department in ipairs(keys) do
    call('HSET', PREFIX .. KEY.rules, department, cmsgpack.pack(now[department]))
end
for _, one in ipairs(waiters) do
    change_pools(one[1], one[2])
    enter_duty(one[1])
end

-- ---- users who wait -------------------------------------------------------------

local moved, has_moved = {}, {}

-- Those who wait in *department* and for whom *wanted* returns another one wait in that.
local function move_from(department, wanted)
    for _, priority in ipairs(priorities()) do
        for _, uuid in ipairs(call('ZRANGE', key_in(QUEUE, department, priority), 0, -1)) do
            local route = call('HGET', key_of(uuid), FIELD.route) or ''
            local to = wanted(route_of(participants[uuid] or { route = route }))
            if to then
                local user = participant(uuid)
                move(user, to)
                if not has_moved[uuid] then
                    has_moved[uuid] = true
                    moved[#moved + 1] = user
                end
            end
        end
    end
end

for _, department in ipairs(before) do
    if department ~= '' and not now[department] then
        move_from(department, function()
            return ''
        end)
    end
end
move_from('', function(route)
    local asked = route.asked
    return asked ~= '' and now[asked] and not was_known[asked] and asked
end)

-- Their times count anew.
call('DEL', PREFIX .. KEY.moves)
for _, department in ipairs(keys) do
    if overflow_of(department) then
        for _, priority in ipairs(priorities()) do
            for _, uuid in ipairs(call('ZRANGE', key_in(QUEUE, department, priority), 0, -1)) do
                watch(participant(uuid), true)
            end
        end
    end
end
match()
send_positions(moved)
return close(1)
