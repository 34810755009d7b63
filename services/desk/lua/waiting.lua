-- Who waits.
-- ARGV[8] at most how many
-- Answers: how many wait, the absent included, and of the first ones who are here, in order,
-- { uuid, name, avatar, question, page, ms since 1970 when it joined the queue, subject }.

local refused = open()
if refused then
    return refused
end
local answers = { call('ZCARD', LINE) }
for _, uuid in ipairs(call('ZRANGE', TAKEABLE, 0, tonumber(ARGV[8]) - 1)) do
    local one = person(uuid)
    local joined = wall - (desk.time - tonumber(one.since))
    answers[#answers + 1] = { uuid, one.name, one.avatar, one.question, one.page,
        text(math.floor(joined / 1000)), one.subject }
end
return close(answers)
