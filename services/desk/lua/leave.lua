-- A participant goes on purpose, unless other workers still hold connections of it.
-- ARG.participant

local refused = open()
if refused then
    return refused
end
local one = participant(ARG.participant)
if one then
    if one.at == me or not here(one) then
        if one.role == ROLE.user and waits(one) then
            spend(one)
        end
        depart(one, false)
    elseif holds(one, me) then
        lose_here(one)
    end
end
return close()
