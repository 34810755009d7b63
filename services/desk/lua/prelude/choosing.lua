-- Matching while users wait in several queues.
--
-- All of it is one function. Lua makes every function anew whenever a script runs, and those
-- within another one only when that is called.

local function match_in_departments()

    -- Who takes the first user of *department* for whom anybody is free there; nil: nobody.
    local function free_waiter(department)
        local free = call('ZRANGE', free_in(department), 0, 1)
        if not free[1] then
            return nil
        end
        for uuid in takeable_in(department) do
            local user = participant(uuid)
            local last = last_waiter(user, department)
            if last and not obstacle_between(user, last.uuid) then
                return last
            end
            for _, next_one in ipairs(free) do
                if not obstacle_between(user, next_one) then
                    return participant(next_one)
                end
            end
        end
    end

    -- The waiter who gets a user next: of the department, first by key, in which a user can be
    -- matched; nil: none.
    local function next_match()
        local departments = {}
        for department in pairs(touched) do
            departments[#departments + 1] = department
        end
        table.sort(departments)
        local wanted = call('HMGET', PREFIX .. KEY.wanted, unpack(departments))
        for i, department in ipairs(departments) do
            if wanted[i] or department == '' and call('ZCARD', TAKEABLE) > 0 then
                local waiter = free_waiter(department)
                if not waiter and make_room_with_a_waiter(department) then
                    waiter = free_waiter(department)
                end
                if waiter then
                    return waiter
                end
            end
            touched[department] = nil
        end
    end

    -- The departments of *waiter* in which users can be taken, those of its highest priority first;
    -- '' whether there are any or not.
    local function wanting(waiter)
        local members, keys, found = members_of(waiter), {}, {}
        if #members == 1 then
            return members -- it is next because of somebody there
        end
        for i, member in ipairs(members) do
            keys[i] = member[1]
        end
        local counts = call('HMGET', PREFIX .. KEY.wanted, unpack(keys))
        for i, member in ipairs(members) do
            if counts[i] or member[1] == '' then
                found[#found + 1] = member
            end
        end
        table.sort(found, function(member, another)
            return member[2] > another[2] or member[2] == another[2] and member[1] < another[1]
        end)
        return found
    end

    -- Whether one list of numbers comes before another: that with the first higher number.
    local function is_before(numbers, others)
        for i, number in ipairs(numbers) do
            if number ~= others[i] then
                return number > others[i]
            end
        end
        return false
    end

    -- Whom *waiter* takes: from its departments of the highest priority in which anybody waits, the
    -- first by its own priority, then by its ticket.
    local function choose(waiter)
        local best, best_department, order
        for _, member in ipairs(wanting(waiter)) do
            if order and member[2] < order[1] then
                break
            end
            local uuid, priority, ticket = first_takeable(member[1], waiter)
            local numbers = uuid and { member[2], priority, -ticket }
            if uuid and (not order or is_before(numbers, order)) then
                best, best_department, order = uuid, member[1], numbers
            end
        end
        return participant(best), best_department
    end

    -- A user of *uuid* is among those who can be taken in *department*, and waits elsewhere or
    -- nowhere: a script that has failed left it there. It is taken out, or it would be matched
    -- again and again.
    local function remove_stray(uuid, department)
        for _, priority in ipairs(priorities()) do
            call('ZREM', key_in(QUEUE, department, priority), uuid)
            if call('ZREM', key_in(TAKEABLE, department, priority), uuid) == 1
                and (department ~= '' or priority > 0)
                and call('HINCRBY', PREFIX .. KEY.wanted, department, -1) <= 0 then
                call('HDEL', PREFIX .. KEY.wanted, department)
            end
        end
    end

    -- ---- bringing them together --------------------------------------------------

    if desk.settles > 0 or seats_to_give() > 0 then -- then anywhere
        for _, department in ipairs(call('HKEYS', PREFIX .. KEY.wanted)) do
            touched[department] = true
        end
    end
    touched[''] = true
    for waiter in next_match do
        local user, department = choose(waiter)
        if strike(user) then
            bring_together(user, waiter)
        else
            remove_stray(user.uuid, department)
        end
    end
end
