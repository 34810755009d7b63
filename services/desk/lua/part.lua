-- One of the two ends a chat.
-- ARGV[8] user  [9] waiter  [10] which of them
-- Answers: 1, or 0 when they do not talk.

local refused = open()
if refused then
    return refused
end
local user = person(ARGV[8])
if not user or user.role ~= 'user' or user.waiter ~= ARGV[9] or ARGV[9] == '' then
    return close({ 0 })
end
part(user, person(ARGV[9]), ARGV[10])
match()
return close({ 1 })
