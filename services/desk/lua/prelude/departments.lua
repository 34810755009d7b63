-- Departments: their rules, where users wait, and where waiters belong.
--
-- Each queue is that of one department and one priority of visitors. The keys of the department
-- '' and priority 0 are those that workers of the release before know; all other queues are apart
-- from it. Until all workers of the desk have been able to read departments once (`configure`),
-- everybody stands in that one.

-- ---- rules ------------------------------------------------------------------

local rules = {} -- department → its rules (`Department` in `departments.py`), or false

-- The rules of *department*; false where it has none.
local function rule_of(department)
    if desk.departments == 0 then
        return false
    end
    if rules[department] == nil then
        local found = call('HGET', PREFIX .. KEY.rules, department)
        rules[department] = found and cmsgpack.unpack(found)
    end
    return rules[department]
end

-- *department*, or '' where there is no such one.
local function known(department)
    return department ~= '' and rule_of(department) and department or ''
end

-- ---- where users wait -------------------------------------------------------

local ANYWHERE = { department = '', asked = '', priority = 0, is_apart = false }
local routes = {} -- as they are stored → what they say

-- Where *user* waits or has waited last (`department`), for which department it has asked, its
-- priority, when it has come to its department, where it has moved there, and the waiter who has
-- handed it over, while it waits by that; `is_apart`: users like it wait in another queue than
-- workers of the release before know.
local function route_of(user)
    local packed = user.route
    if packed == '' then
        return ANYWHERE
    end
    if not routes[packed] then
        local found = cmsgpack.unpack(packed)
        routes[packed] = { department = found[1], asked = found[2], priority = found[3],
            entered = found[4] or nil, giver = found[5], is_apart = found[1] ~= '' or found[3] > 0 }
    end
    return routes[packed]
end

local function set_route(user, department, asked, priority, entered, giver)
    local packed = ''
    if department ~= '' or asked ~= '' or priority > 0 or entered or giver then
        packed = cmsgpack.pack({ department, asked, priority, entered or giver and false, giver })
    end
    if packed ~= user.route then
        set(user, FIELD.route, packed)
    end
end

-- The key of those of *kind* (QUEUE, or TAKEABLE) who wait in *department* with *priority*.
local function key_in(kind, department, priority)
    if department == '' and priority == 0 then
        return kind
    end
    return kind .. ':' .. priority .. ':' .. department
end

local MOST_PRIORITY = CONSTANT.most_priority
local ranks = {} -- `desk.ranks` → what it says

-- The priorities that any user of the desk has had so far, the highest first.
local function priorities()
    if not ranks[desk.ranks] then
        local found = {}
        for priority = MOST_PRIORITY, 1, -1 do
            if bit.band(desk.ranks, bit.lshift(1, priority)) ~= 0 then
                found[#found + 1] = priority
            end
        end
        found[#found + 1] = 0
        ranks[desk.ranks] = found
    end
    return ranks[desk.ranks]
end

-- ---- where waiters belong ---------------------------------------------------

local NOWHERE = { { '', 0 } }
local memberships = {} -- as they are stored → those of them that there are

-- The departments of *waiter* that there are, by their keys, each with its priority.
local function members_of(waiter)
    local packed = waiter.route
    if packed == '' or desk.rules == 0 then
        return NOWHERE
    end
    if not memberships[packed] then
        local found = {}
        for _, member in ipairs(cmsgpack.unpack(packed)) do
            if known(member[1]) == member[1] then
                found[#found + 1] = member
            end
        end
        memberships[packed] = #found > 0 and found or NOWHERE
    end
    return memberships[packed]
end

local function belongs(waiter, department)
    for _, member in ipairs(members_of(waiter)) do
        if member[1] == department then
            return true
        end
    end
    return false
end
