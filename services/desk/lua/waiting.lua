-- Who waits.
-- ARG.most  at most how many
-- Answers: a `Queue` (`port.py`): how many wait, the absent included, and the first ones of those
-- who are here, in order.

local refused = open()
if refused then
    return refused
end
local users = {}
for i, uuid in ipairs(call('ZRANGE', TAKEABLE, 0, tonumber(ARG.most) - 1)) do
    local one = participant(uuid)
    local joined = wall - (desk.time - tonumber(one.since))
    users[i] = { uuid = uuid, name = one.name, avatar = one.avatar, question = one.question,
        page = one.page, since = math.floor(joined / 1000), subject = one.subject }
end
return close(cmsgpack.pack({ length = call('ZCARD', QUEUE), users = users }))
