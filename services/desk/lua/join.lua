-- A worker takes a lease, with an empty mailbox: a new one, or one that has been out of reach
-- or given up. Then it hands over whom it remembers (`recall`).
-- ARG.lease           ms
-- ARG.generation      that it has known, or ''
-- ARG.present         the UUIDs of those it has connections of, in msgpack
-- ARG.new_generation  the name of a new generation
-- ARG.reads           what it can read (`READS` in `port.py`)
-- Answers: `Joined` (`letters.py`).
--
-- A generation ends when Redis has lost everything, or has come back with what it knew some
-- time ago (another run_id): then the workers' memories are the truth, and the desk matches
-- nobody for a moment, until all of them have joined. Otherwise the desk is the truth.

-- Forget the queues and the waiters of *department*.
local function wipe_department(department)
    for priority = 0, MOST_PRIORITY do
        call('DEL', key_in(QUEUE, department, priority), key_in(TAKEABLE, department, priority))
    end
    call('DEL', free_in(department), DUTY .. ':' .. department)
end

-- Forget the whole desk.
local function wipe()
    for _, uuid in ipairs(call('HVALS', STANDING)) do
        local address = call('HGET', key_of(uuid), FIELD.held) or ''
        call('DEL', places_of(address), key_of(uuid), users_key({ uuid = uuid }))
    end
    for _, set_of in ipairs({ call('ZRANGE', WORKERS, 0, -1), call('SMEMBERS', DYING) }) do
        for _, worker in ipairs(set_of) do
            call('DEL', held_by(worker), mailbox_of(worker), PREFIX .. KEY.holds .. worker)
        end
    end
    for _, department in ipairs(call('HKEYS', PREFIX .. KEY.rules)) do
        wipe_department(department)
    end
    wipe_department('')
    call('DEL', DESK, STANDING, WORKERS, DYING, TOLD, GRACE, VOID, SEATS, WAITS, DUTY)
    call('DEL', PREFIX .. KEY.rules, PREFIX .. KEY.wanted, PREFIX .. KEY.moves, PREFIX .. KEY.stale,
        PREFIX .. KEY.laps, PREFIX .. KEY.seats_counted, PREFIX .. KEY.here, UNANSWERED)
end

local run = string.match(call('INFO', 'server'), 'run_id:(%x+)') or ''
local stored = call('HMGET', DESK, MARK.run, MARK.generation)
if stored[1] and stored[1] ~= run then
    wipe()
    stored = {}
end
open(true)
unread = {}
local generation = stored[2]
if not generation then
    generation = ARG.new_generation
    call('HSET', DESK, MARK.run, run, MARK.generation, generation)
    desk.born = desk.time
    desk.decided = math.max(desk.decided, wall) -- no number is given again
end
local lost = ARG.generation ~= '' and ARG.generation ~= generation
if lost then
    desk.settles = math.max(desk.settles, desk.born + SETTLE)
end

-- Numbers of letters begin above all that a worker of this name was ever sent.
sent = math.max(wall, sent)
call('ZADD', WORKERS, desk.time + tonumber(ARG.lease) * 1000, me)
call('SREM', DYING, me)
call('HSET', DESK, MARK.sent .. me, text(sent), MARK.reads .. me, ARG.reads)
call('DEL', mailbox_of(me))
local start = call('XADD', mailbox_of(me), '*',
    ENTRY.sender, SENDER.nobody, ENTRY.number, 0, ENTRY.letter, '')

local present = {}
for _, uuid in ipairs(cmsgpack.unpack(ARG.present)) do
    present[uuid] = true
end
for _, uuid in ipairs(call('SMEMBERS', held_by(me))) do
    if not present[uuid] then
        lose_here(participant(uuid))
    end
end

match()
return close(cmsgpack.pack({ number = sent, mailbox_start = start, generation = generation,
    is_restored = call('HEXISTS', DESK, MARK.restored) == 1, is_lost = lost }))
