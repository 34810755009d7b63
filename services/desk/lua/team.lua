-- Waiters who are here and ready, and have a name.
-- ARG.most  at most how many
-- ARG.department  '=' and of which department; or '' for those of all
-- Answers: a list of `Face` (`port.py`).

local LOOKED_AT = 50 -- of those who are ready; most have a name

local refused = open()
if refused then
    return refused
end
local duty = DUTY
if ARG.department ~= '' and (desk.departments > 0 or ARG.department ~= '=') then
    duty = DUTY .. ':' .. string.sub(ARG.department, 2)
end
local found = {}
for _, uuid in ipairs(call('ZRANGE', duty, 0, LOOKED_AT - 1)) do
    if #found >= tonumber(ARG.most) then
        break
    end
    local shown = call('HMGET', key_of(uuid), FIELD.name, FIELD.avatar)
    if shown[1] and shown[1] ~= '' then
        found[#found + 1] = { name = shown[1], avatar = shown[2] or '' }
    end
end
return close(cmsgpack.pack(found))
