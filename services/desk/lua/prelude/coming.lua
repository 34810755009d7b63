-- Stands before the scripts by which participants come, and by which the desk learns to which
-- departments waiters belong.

local function create(role, subject, uuid, name, avatar)
    local one = { uuid = uuid }
    for _, field in ipairs(FIELDS) do
        one[field] = ''
    end
    participants[uuid] = one
    set(one, FIELD.role, role)
    set(one, FIELD.subject, subject)
    set(one, FIELD.name, name)
    set(one, FIELD.avatar, avatar)
    if role == ROLE.waiter then
        set(one, FIELD.capacity, ARG.usual_capacity)
        set(one, FIELD.load, 0)
        desk.waiters = desk.waiters + 1
    end
    call('HSET', STANDING, role .. ':' .. subject, uuid)
    return one
end

local function are_same(members, others)
    if #members ~= #others then
        return false
    end
    for i, member in ipairs(members) do
        if member[1] ~= others[i][1] or member[2] ~= others[i][2] then
            return false
        end
    end
    return true
end

-- *waiter*, who is here and ready, counts in its departments.
local function enter_duty(waiter)
    local since = call('ZSCORE', DUTY, waiter.uuid)
    for _, member in ipairs(desk.departments > 0 and members_of(waiter) or {}) do
        call('ZADD', DUTY .. ':' .. member[1], since, waiter.uuid)
    end
end

-- *waiter* has stood in the departments *before*: it stands in those that it has now.
local function change_pools(waiter, before)
    if are_same(before, members_of(waiter)) then
        return
    end
    if on_duty(waiter) then
        leave_departments(waiter, before)
        enter_duty(waiter)
    end
    if waiter.bucket ~= '' then
        set(waiter, FIELD.bucket, '')
        refresh(waiter)
    end
end

-- *waiter* belongs to these departments from now on: a list of `Member`, in msgpack, or ''.
local function assign(waiter, departments)
    if waiter.route ~= departments then
        local before = members_of(waiter)
        set(waiter, FIELD.route, departments)
        change_pools(waiter, before)
    end
end
