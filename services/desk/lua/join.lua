-- A worker takes a lease, with an empty mailbox: a new one, or one that has been out of reach
-- or given up. Then it tells whom it remembers (`recall`).
-- ARGV[8] the lease in ms  [9] the generation it has known, or ''  [10] JSON: the UUIDs of those
--         it has sockets of  [11] the name of a new generation  [12] what it can read
-- Answers: the number of its last letter, where its mailbox begins, the generation, 1 if what
-- the history remembers has been taken up, and 1 if the desk has lost what the worker knows.
--
-- A generation ends when Redis has lost everything, or has come back with what it knew some
-- time ago (another run_id): then the workers' memories are the truth, and the desk matches
-- nobody for a moment, until all of them have joined. Otherwise the desk is the truth.

-- Forget the whole desk.
local function wipe()
    local keys = { DESK, STANDING, WORKERS, DYING, LINE, TAKEABLE, TOLD, GRACE, FREE, VOID, SEATS, WAITS,
        DUTY }
    for _, uuid in ipairs(call('HVALS', STANDING)) do
        local held = call('HGET', PREFIX .. 'p:' .. uuid, 'held') or ''
        call('DEL', PREFIX .. 'places:' .. held)
        call('DEL', PREFIX .. 'p:' .. uuid, PREFIX .. 'users:' .. uuid)
    end
    for _, set_of in ipairs({ call('ZRANGE', WORKERS, 0, -1), call('SMEMBERS', DYING) }) do
        for _, worker in ipairs(set_of) do
            call('DEL', PREFIX .. 'of:' .. worker, PREFIX .. 'box:' .. worker,
                PREFIX .. 'held:' .. worker)
        end
    end
    call('DEL', unpack(keys))
end

local run = string.match(call('INFO', 'server'), 'run_id:(%x+)') or ''
local stored = call('HMGET', DESK, 'run', 'generation')
if stored[1] and stored[1] ~= run then
    wipe()
    stored = {}
end
open(true)
unread = {}
local generation = stored[2]
if not generation then
    generation = ARGV[11]
    call('HSET', DESK, 'run', run, 'generation', generation)
    desk.born = desk.time
    desk.decided = math.max(desk.decided, wall) -- no number is given again
end
local lost = ARGV[9] ~= '' and ARGV[9] ~= generation
if lost then
    desk.settles = math.max(desk.settles, desk.born + SETTLE)
end

-- Numbers of letters begin above all that a worker of this name was ever sent.
sent = math.max(wall, sent)
call('ZADD', WORKERS, desk.time + tonumber(ARGV[8]) * 1000, me)
call('SREM', DYING, me)
call('HSET', DESK, 'sent:' .. me, text(sent), 'reads:' .. me, ARGV[12])
call('DEL', PREFIX .. 'box:' .. me)
local first = call('XADD', PREFIX .. 'box:' .. me, '*', 'f', '', 'n', 0, 'b', '')

local present = {}
for _, uuid in ipairs(cjson.decode(ARGV[10])) do
    present[uuid] = true
end
for _, uuid in ipairs(call('SMEMBERS', PREFIX .. 'of:' .. me)) do
    if not present[uuid] then
        lose_here(person(uuid))
    end
end

match()
return close({ text(sent), first, generation, call('HEXISTS', DESK, 'restored'), lost and 1 or 0 })
