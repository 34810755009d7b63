-- The departments of the site are these from now on, unless the desk knows later ones.
-- ARG.number  of these rules
-- ARG.rules   department → its rules (`Department` in `departments.py`), in msgpack
-- Answers: 1, or 0 while a worker of the desk cannot read departments.

local READS_DEPARTMENTS = CONSTANT.reads_departments

local refused = open()
if refused then
    return refused
end
local number = tonumber(ARG.number) + 1 -- 0 stands for: never configured
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
local was_known = {}
for _, department in ipairs(before) do
    was_known[department] = true
end
local come, gone = {}, {} -- departments
for _, department in ipairs(keys) do
    come[#come + 1] = not was_known[department] and department or nil
end
for _, department in ipairs(before) do
    gone[#gone + 1] = not now[department] and department or nil
end

-- To where *department* passes users on, and when; '' where it does not.
local function passes_on(department)
    local to = moves_on_to(department)
    return to and to .. ' ' .. (rule_of(department).overflow_after or 0) or ''
end

-- Call *act* with the UUID of everybody who waits in *department*, in order.
local function each_of(department, act)
    for _, priority in ipairs(priorities()) do
        for _, uuid in ipairs(call('ZRANGE', key_in(QUEUE, department, priority), 0, -1)) do
            act(uuid)
        end
    end
end

-- ---- the rules ----------------------------------------------------------------

local waiters = {} -- those who are here and ready, and where they have stood
for _, uuid in ipairs(#come + #gone > 0 and call('ZRANGE', DUTY, 0, -1) or {}) do
    local waiter = participant(uuid)
    waiters[#waiters + 1] = { waiter, members_of(waiter) }
end
local passed = { [''] = passes_on('') } -- how departments have passed users on so far
for _, department in ipairs(before) do
    passed[department] = passes_on(department)
end

if #come + #gone > 0 then -- all who are on duty count anew
    for _, department in ipairs(before) do
        call('DEL', DUTY .. ':' .. department)
    end
    call('DEL', DUTY .. ':')
end
desk.rules, desk.departments = number, #keys
rules, memberships = {}, {}
call('DEL', PREFIX .. KEY.rules)
for _, department in ipairs(keys) do
    call('HSET', PREFIX .. KEY.rules, department, cmsgpack.pack(now[department]))
end
for _, one in ipairs(waiters) do
    change_pools(one[1], one[2])
    enter_duty(one[1])
end

-- ---- users who wait -------------------------------------------------------------

local has_changed = {} -- departments that pass users on otherwise than before
for _, some in ipairs({ { '' }, before, keys }) do
    for _, department in ipairs(some) do
        has_changed[department] = (passed[department] or '') ~= passes_on(department) or nil
    end
end
for department in pairs(has_changed) do
    each_of(department, function(uuid)
        call('ZREM', PREFIX .. KEY.moves, uuid)
    end)
end

local moved, has_moved = {}, {}

-- Those who wait in *department* and for whom *wanted* returns another one wait in that.
local function move_from(department, wanted)
    each_of(department, function(uuid)
        local known_so_far = participants[uuid]
        local route = known_so_far and known_so_far.route or call('HGET', key_of(uuid), FIELD.route)
        local to = wanted(route_of({ route = route or '' }))
        if not to then
            return
        end
        local user = participant(uuid)
        move(user, to)
        if not has_moved[uuid] then
            has_moved[uuid] = true
            moved[#moved + 1] = user
        end
    end)
end

for _, department in ipairs(gone) do
    if department ~= '' then
        move_from(department, function()
            return ''
        end)
    end
end
if #come > 0 then
    move_from('', function(route)
        local asked = route.asked
        return asked ~= '' and now[asked] and not was_known[asked] and asked
    end)
end

-- Their times count anew, from when they have come to their department.
for department in pairs(has_changed) do
    if moves_on_to(department) then
        each_of(department, function(uuid)
            local stored = call('HMGET', key_of(uuid), FIELD.since, FIELD.route)
            local user = { uuid = uuid, since = stored[1], route = stored[2] or '' }
            watch(participants[uuid] or user, true)
        end)
    end
end
match()
send_positions(moved)
return close(1)
