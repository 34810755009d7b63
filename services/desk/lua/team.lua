-- Waiters who are here and ready, and have a name.
-- ARGV[8] at most how many
-- Answers: { name, avatar } of each.

local LOOKED_AT = 50 -- of those who are ready; most have a name

local refused = open()
if refused then
    return refused
end
local found = {}
for _, uuid in ipairs(call('ZRANGE', DUTY, 0, LOOKED_AT - 1)) do
    local known = call('HMGET', PREFIX .. 'p:' .. uuid, 'name', 'avatar')
    if #found < tonumber(ARGV[8]) and known[1] and known[1] ~= '' then
        found[#found + 1] = { known[1], known[2] or '' }
    end
end
return close(found)
