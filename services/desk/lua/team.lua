-- Waiters who are here and ready, and have a name.
-- ARG.most  at most how many
-- ARG.department  '=' and of which department; or '' for those of all
-- Answers: a list of `Face` (`port.py`).

local LOOKED_AT = 50 -- of those who are ready; most have a name, and not all belong elsewhere
local ROUNDS = 10 -- of so many

local refused = open()
if refused then
    return refused
end
local of_all = ARG.department == ''
local department = of_all and '' or string.sub(ARG.department, 2)
local found = {}

-- *waiter* is one of those looked for.
local function is_wanted(waiter)
    return waiter and waiter.name ~= '' and (of_all or belongs(waiter, department))
end

for round = 0, ROUNDS - 1 do
    local first = round * LOOKED_AT
    local some = call('ZRANGE', of_all and DUTY or duty_of(department), first,
        first + LOOKED_AT - 1)
    for _, uuid in ipairs(some) do
        local waiter = #found < tonumber(ARG.most) and participant(uuid)
        if is_wanted(waiter) then
            found[#found + 1] = { name = waiter.name, avatar = waiter.avatar }
        end
    end
    if of_all or #some < LOOKED_AT or #found >= tonumber(ARG.most) then
        break
    end
end
return close(cmsgpack.pack(found))
