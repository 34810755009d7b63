-- Which waiters of a department are free, and which of them is next.

local LOAD = 4398046511104 -- 2^42: a free waiter's load weighs more than its turn

-- The free waiters of *department*.
local function free_in(department)
    return department == '' and FREE or FREE .. ':' .. department
end

local function first_free(department)
    return call('ZRANGE', free_in(department), 0, 0)[1]
end

local function enter_pools(waiter)
    desk.turn = desk.turn + 1
    for _, member in ipairs(members_of(waiter)) do
        call('ZADD', free_in(member[1]), tonumber(waiter.load) * LOAD + desk.turn, waiter.uuid)
        touched[member[1]] = true
    end
end

local function leave_pools(waiter, members)
    for _, member in ipairs(members) do
        call('ZREM', free_in(member[1]), waiter.uuid)
    end
end

-- Put *waiter* where it belongs now; behind its equals if its load has changed.
local function refresh(waiter)
    local load = tonumber(waiter.load)
    local limit = tonumber(waiter.capacity)
    local bucket = ''
    if on_duty(waiter) and limit and load < limit then
        bucket = waiter.load
    end
    if bucket == waiter.bucket then
        return
    end
    set(waiter, FIELD.bucket, bucket)
    if bucket == '' then
        leave_pools(waiter, members_of(waiter))
    else
        enter_pools(waiter)
    end
end

local function leave_duty(waiter, members)
    for _, member in ipairs(desk.departments > 0 and members or {}) do
        call('ZREM', duty_of(member[1]), waiter.uuid)
    end
end

local function enter_duty(waiter, since)
    for _, member in ipairs(desk.departments > 0 and members_of(waiter) or {}) do
        call('ZADD', duty_of(member[1]), since, waiter.uuid)
    end
end

-- *one* was on duty or not before it changed.
local function count_duty(one, was)
    if on_duty(one) == was then
        return
    end
    desk.ready = desk.ready + (was and -1 or 1)
    if was then
        call('ZREM', DUTY, one.uuid)
        leave_duty(one, members_of(one))
    else
        call('ZADD', DUTY, desk.time, one.uuid)
        enter_duty(one, desk.time)
    end
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

-- *waiter* has stood in the departments *before*: it stands in those that it has now.
local function change_pools(waiter, before)
    if are_same(before, members_of(waiter)) then
        return
    end
    if on_duty(waiter) then
        leave_duty(waiter, before)
        enter_duty(waiter, call('ZSCORE', DUTY, waiter.uuid))
    end
    if waiter.bucket ~= '' then
        leave_pools(waiter, before)
        enter_pools(waiter)
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

-- Who has served *user* last, if it is free in *department*.
local function last_waiter(user, department)
    local uuid = user.last ~= '' and call('HGET', STANDING, ROLE.waiter .. ':' .. user.last)
    local waiter = uuid and participant(uuid)
    return waiter and waiter.bucket ~= '' and belongs(waiter, department) and waiter or nil
end
