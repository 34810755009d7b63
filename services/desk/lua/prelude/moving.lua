-- Stands before the scripts by which users move from one department to another.

local MOST_MOVES = CONSTANT.most_moves

-- Where a user stands that comes to *department*, which may pass it on.
local function entrance(department)
    department = known(department)
    for _ = 1, MOST_MOVES do
        local to = overflow_of(department)
        if not to or (rule_of(department).overflow_after or 0) > 0 then
            break
        end
        department = to
    end
    return department
end

-- *user*, who waits, waits in *department* from now on, with its ticket.
local function move(user, department)
    local route, ticket = route_of(user), waits(user)
    strike(user, true)
    set_route(user, department, route.asked, route.priority, desk.time, route.giver)
    stand(user, ticket, -1)
    change(department)
end
