-- A user leaves the line.
-- ARGV[8] user
-- Answers: 1, or 0 when it did not wait.

local refused = open()
if refused then
    return refused
end
local user = person(ARGV[8])
if not user or not strike(user) then
    return close({ 0 })
end
spend(user)
give_place_back(user)
tell_siblings('W', user, { user.uuid })
return close({ 1 })
