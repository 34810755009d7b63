-- The calling worker has no connection of a participant any more; with the last one it is away.
-- ARG.participant
-- ARG.absence  how it is waited for, one of ABSENCE
-- ARG.sleep  ms that a user is waited for who is served and may sleep; '' for others

local refused = open()
if refused then
    return refused
end
local one = participant(ARG.participant)
if one and holds(one, me) then
    lose_here(one, ARG.absence, ARG.sleep)
    match() -- its seat may be somebody else's
end
return close()
