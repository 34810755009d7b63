-- Stands before the scripts by which participants come and go: which workers hold their
-- connections.

local function holds(one, worker)
    for _, holder in ipairs(words(one.at)) do
        if holder == worker then
            return true
        end
    end
    return false
end

-- The workers that hold connections of *one*, but for this one.
local function without(one, worker)
    local found = {}
    for _, holder in ipairs(words(one.at)) do
        if holder ~= worker then
            found[#found + 1] = holder
        end
    end
    return found
end

-- All pages of *one* at *worker* stand still, or not.
local function set_frozen(one, worker, is_still)
    local frozen = {}
    for _, still in ipairs(words(one.frozen)) do
        if still ~= worker then
            frozen[#frozen + 1] = still
        end
    end
    if is_still then
        frozen[#frozen + 1] = worker
    end
    set(one, FIELD.frozen, table.concat(frozen, ' '))
end

-- *one* has connections at *worker* from now on. Does not match yet.
local function gain(one, worker)
    local duty, came = on_duty(one), not here(one)
    if one.role == ROLE.waiter and one.capacity == '' then -- only its users' workers had handed it over
        set(one, FIELD.capacity, ARG.usual_capacity)
    end
    set(one, FIELD.at, came and worker or (one.at .. ' ' .. worker))
    set(one, FIELD.home, worker)
    call('SADD', held_by(worker), one.uuid)
    if one.role == ROLE.waiter then -- its pages at other workers may stand still
        count_duty(one, duty)
        refresh(one)
    end
    if not came then
        return
    end
    call('ZREM', GRACE, one.uuid)
    if one.role == ROLE.waiter then
        call('ZADD', PREFIX .. KEY.here, 0, one.uuid)
    else
        yield_no_more(one)
        if one.sleep ~= '' then
            set(one, FIELD.sleep, '')
        end
        if one.unanswered ~= '' then
            await_answer(one, tonumber(one.unanswered))
            set(one, FIELD.unanswered, '')
        end
        local ticket = waits(one)
        if ticket then
            offer(one, ticket)
        end
    end
end
