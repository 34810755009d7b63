-- Waiters who are here.
-- ARG.most  at most how many
-- Answers: a list of `Colleague` (`port.py`): those who are ready first, the longest ready one.

local refused = open()
if refused then
    return refused
end
local most, found, seen = tonumber(ARG.most), {}, {}

local function add(uuid)
    local waiter = not seen[uuid] and participant(uuid)
    seen[uuid] = true
    if not waiter or not here(waiter) then
        return
    end
    local departments = {}
    for i, member in ipairs(members_of(waiter)) do
        departments[i] = member[1]
    end
    found[#found + 1] = { uuid = uuid, name = waiter.name, departments = departments,
        ready = on_duty(waiter), load = tonumber(waiter.load), capacity = tonumber(waiter.capacity) or 0 }
end

for _, key in ipairs({ DUTY, PREFIX .. KEY.here }) do
    for _, uuid in ipairs(most > 0 and call('ZRANGE', key, 0, 2 * most - 1) or {}) do -- some twice
        if #found < most then
            add(uuid)
        end
    end
end
return close(cmsgpack.pack(found))
