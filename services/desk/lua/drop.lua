-- The calling worker has no socket of a participant any more; with the last one it is away.
-- ARGV[8] participant  [9] what it claims (`port.Claim`)

local refused = open()
if refused then
    return refused
end
local one = person(ARGV[8])
if one and holds(one, me) then
    lose_here(one, ARGV[9])
    match() -- its seat may be somebody else's
end
return close({})
