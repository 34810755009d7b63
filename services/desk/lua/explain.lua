-- Why a user waits.
-- ARG.user
-- ARG.most  how many waiters to name at most
-- Answers: an `Explanation` (`explaining.py`) in which the reasons are those of all waiters, in
-- no order; nothing for a user who does not wait.

local LOOKED_AT = 4000 -- waiters who are here
local LOOKED_AT_AWAY = 1000 -- participants who are waited for; some of them are users

local refused = open()
if refused then
    return refused
end
local user = as(ROLE.user, ARG.user)
local ticket = user and waits(user)
if not ticket then
    return close()
end
local route = route_of(user)

-- Where it waits, and where it may come to from there, in order; each with what keeps free waiters
-- of it from a user there.
local way, obstacles = { route.department }, {}
local last, next_one = route.department, moves_on_to(route.department)
local moves_to = next_one and entrance(next_one)
while next_one do
    local department = entrance(next_one)
    if department == route.department or obstacles[department] then
        break
    end
    way[#way + 1], obstacles[department] = department, OBSTACLE.other_department
    last, next_one = department, moves_on_to(department)
end
local if_now, if_open = overflow_of(last)
if if_open and not if_now and if_open ~= route.department and not obstacles[if_open] then
    way[#way + 1], obstacles[if_open] = if_open, OBSTACLE.closed
end

-- ---- who might serve it ------------------------------------------------------

local READ = { FIELD.role, FIELD.name, FIELD.at, FIELD.ready, FIELD.frozen, FIELD.load,
    FIELD.capacity, FIELD.route }

-- The waiter of this UUID, with no more than is asked here; nil where there is none.
local function waiter_of(uuid)
    local found = call('HMGET', key_of(uuid), unpack(READ))
    if found[1] ~= ROLE.waiter then
        return nil
    end
    return { uuid = uuid, role = found[1], name = found[2] or '', at = found[3] or '',
        ready = found[4] or '', frozen = found[5] or '', load = found[6] or '0',
        capacity = found[7] or '', route = found[8] or '' }
end

-- Through which department *waiter* might serve the user; nil: through none.
local function department_of(waiter)
    for _, department in ipairs(way) do
        if belongs(waiter, department) then
            return department
        end
    end
end

local nothing = here(user) and OBSTACLE.settling or OBSTACLE.user_away -- of the waiter's own
local named, reasons = {}, {} -- reason → waiters of the own department, and others

local function add(uuid)
    local waiter = waiter_of(uuid)
    local department = waiter and department_of(waiter)
    if not department then
        return
    end
    local reason = obstacle(waiter) or obstacles[department] or obstacle_between(user, uuid) or nothing
    local group = (department == route.department and '' or '+') .. reason
    reasons[reason] = (reasons[reason] or 0) + 1
    named[group] = named[group] or {}
    if #named[group] < tonumber(ARG.most) then
        table.insert(named[group], { uuid = uuid, name = waiter.name, department = department,
            reason = reason, load = tonumber(waiter.load), capacity = tonumber(waiter.capacity) or 0 })
    end
end

local is_complete = true
for key, most in pairs({ [PREFIX .. KEY.here] = LOOKED_AT, [GRACE] = LOOKED_AT_AWAY }) do
    local uuids = call('ZRANGE', key, 0, most - 1)
    is_complete = is_complete and #uuids < most
    for _, uuid in ipairs(uuids) do
        add(uuid)
    end
end
local waiters = {}
for _, some in pairs(named) do
    for _, one in ipairs(some) do
        waiters[#waiters + 1] = one
    end
end
local due = tonumber(call('ZSCORE', PREFIX .. KEY.moves, user.uuid) or nil)
return close(cmsgpack.pack({ department = route.department, priority = route.priority,
    position = ahead_of(route.department, route.priority, ticket), is_here = here(user),
    moves_to = moves_to or nil, moves_at = due and math.floor((wall - desk.time + due) / 1000) or nil,
    waiters = waiters, reasons = next(reasons) and reasons or nil, is_complete = is_complete }))
