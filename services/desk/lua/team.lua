-- Waiters who are here and ready, and have a name.
-- ARG.most  at most how many
-- Answers: a list of `Face` (`port.py`).

local LOOKED_AT = 50 -- of those who are ready; most have a name

local refused = open()
if refused then
    return refused
end
local found = {}
for _, uuid in ipairs(call('ZRANGE', DUTY, 0, LOOKED_AT - 1)) do
    if #found >= tonumber(ARG.most) then
        break
    end
    local shown = call('HMGET', key_of(uuid), FIELD.name, FIELD.avatar)
    if shown[1] and shown[1] ~= '' then
        found[#found + 1] = { name = shown[1], avatar = shown[2] or '' }
    end
end
return close(cmsgpack.pack(found))
