-- The calling worker goes: it gives back its lease, and its participants are away.

local refused = open()
if refused then
    return refused
end
retire(me)
return close()
