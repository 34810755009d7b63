-- Which waiters of a department are free, and which of them is next.

local LOAD = 4398046511104 -- 2^42: a free waiter's load weighs more than its turn

-- The free waiters of *department*.
local function free_in(department)
    return department == '' and FREE or FREE .. ':' .. department
end

local function first_free(department)
    return call('ZRANGE', free_in(department), 0, 0)[1]
end

-- *waiter* is none of these departments' any more.
local function leave_departments(waiter, members)
    for _, member in ipairs(members) do
        call('ZREM', free_in(member[1]), waiter.uuid)
        if desk.departments > 0 then
            call('ZREM', DUTY .. ':' .. member[1], waiter.uuid)
        end
    end
end

-- Put *waiter* where it belongs now; behind its equals if its load has changed.
local function refresh(waiter)
    local bucket = obstacle(waiter) and '' or waiter.load
    if bucket == waiter.bucket then
        return
    end
    set(waiter, FIELD.bucket, bucket)
    desk.turn = desk.turn + (bucket ~= '' and 1 or 0)
    for _, member in ipairs(members_of(waiter)) do
        if bucket == '' then
            call('ZREM', free_in(member[1]), waiter.uuid)
        else
            call('ZADD', free_in(member[1]), tonumber(waiter.load) * LOAD + desk.turn, waiter.uuid)
            touched[member[1]] = true
        end
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
    else
        call('ZADD', DUTY, desk.time, one.uuid)
    end
    for _, member in ipairs(desk.departments > 0 and members_of(one) or {}) do
        if was then
            call('ZREM', DUTY .. ':' .. member[1], one.uuid)
        else
            call('ZADD', DUTY .. ':' .. member[1], desk.time, one.uuid)
        end
    end
end

-- Who has served *user* last, if it is free in *department*.
local function last_waiter(user, department)
    local uuid = user.last ~= '' and call('HGET', STANDING, ROLE.waiter .. ':' .. user.last)
    local waiter = uuid and participant(uuid)
    return waiter and waiter.bucket ~= '' and belongs(waiter, department) and waiter or nil
end
