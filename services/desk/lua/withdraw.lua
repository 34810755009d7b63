-- A user leaves the line.
-- ARGV[8] user
-- Answers: 1, or 0 when it did not wait.

local refused = open()
if refused then
    return refused
end
local user = person(ARGV[8])
return close({ user and strike(user) and 1 or 0 })
