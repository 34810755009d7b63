-- Stands before every script of the desk: its keys, its clock, its people, its letters.
--
-- KEYS[1]  csapp:{desk}:desk, the only key that is declared. All others are made of it and
--          share its hash tag, so that they are in the same slot of a Redis Cluster.
-- ARGV[1]  the worker that calls
-- ARGV[2]  the number of the last letter of the desk that it has heard
-- ARGV[3]  where in its mailbox it has read so far
-- ARGV[4]  µs on the clock of a test; empty: Redis's own clock counts
-- ARGV[5]  the grace period in ms
-- ARGV[6]  users that a waiter serves at once if it names no number
-- ARGV[7]  the bound of the line
-- ARGV[8…] the script's own
--
-- Before this file come MOST_LETTERS, in a mailbox, BATCH, participants that one round of
-- anything looks after, TICKETS, µs that a ticket is good for, BRIEF, ms that a stranger who has
-- said nothing is waited for, and SEATS_KEPT (`bounds.py`).
--
-- A script begins with `open` and ends with `close`, which returns
--   { answers, letters not heard yet (number, letter, …), the number of the caller's last
--     letter, what it has itself decided: the letter of that number, or '' }
-- and posts the letters of the other workers. A letter is a JSON array of events.
--
-- Keys:  desk      hash: the counters below, and sent:WORKER, the number of its last letter;
--                  reads:WORKER, what it can read; named: the last conversation's name
--        p:UUID    hash: a participant          of:WORKER  set: who has sockets there
--        standing  hash: ROLE:SUBJECT → UUID    workers    zset: leases by their end
--        line      zset: who waits, by ticket   dying      set: workers that are given up
--        takeable  zset: of these who is here   box:WORKER stream: its mailbox
--        told      hash: the places last told   grace      zset: who is away, by the end of it
--        free      zset: free waiters by load, then by how long they have had it
--        duty      zset: waiters who are here and ready, by since when
--        users:UUID zset: whom a waiter serves, in the order of matching
--        void      zset: whose tickets are void (SHA-1 of the subject), up to which number
--        seats     zset: served users who are away and make room, the longest absent first
--        waits     zset: the same of other users
--        places:ADDRESS set: users of an address who hold places
--        held:WORKER, rate:KEY: see bounds.lua

local call = redis.call
local DESK = KEYS[1]
local PREFIX = string.sub(DESK, 1, -5)
local STANDING, WORKERS, DYING = PREFIX .. 'standing', PREFIX .. 'workers', PREFIX .. 'dying'
local LINE, TAKEABLE, TOLD = PREFIX .. 'line', PREFIX .. 'takeable', PREFIX .. 'told'
local GRACE, FREE, VOID = PREFIX .. 'grace', PREFIX .. 'free', PREFIX .. 'void'
local SEATS, WAITS, DUTY = PREFIX .. 'seats', PREFIX .. 'waits', PREFIX .. 'duty'
local me, grace, capacity, max_queue = ARGV[1], tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])

local STRIDE = 3000000 -- µs that the desk's clock goes on at most at once: see `open`
local SETTLE = 1000000 -- µs that matching rests after all was lost, until workers have told
local LOAD = 4398046511104 -- 2^42: a free waiter's load weighs more than its turn

-- A whole number as text; Lua's own would round it to 14 digits.
local function text(number)
    return string.format('%.0f', number)
end

local function words(list)
    local found = {}
    for word in string.gmatch(list, '%S+') do
        found[#found + 1] = word
    end
    return found
end

-- ---- the desk's counters and its clock --------------------------------------

local COUNTERS = {
    'time', -- µs that the desk has lived
    'seen', -- µs on the clock when it was last looked at
    'decided', -- events so far
    'back', 'front', -- the last tickets at either end of the line
    'turn', -- the last turn given to a free waiter
    'matches', -- so far
    'waiters', 'ready', 'served', -- the figures
    'graced', 'briefed', -- the last score in `grace` of a whole grace period, and of a brief one
    'yielded', -- users who have begun to make room
    'stale', 'lap', 'going', -- places: some have changed; how many to look at; from which ticket
    'told_at',
    'settles', -- when matching begins again after all was lost
    'born',
    'came', -- the number of the last arrival
}
local desk, before = {}, {}
local wall -- µs since 1970
local sent = 0 -- the number of the caller's last letter
local unread = {}

local function catch_up()
    local heard = tonumber(ARGV[2])
    if sent <= heard then
        return
    end
    local box, place = PREFIX .. 'box:' .. me, '(' .. ARGV[3]
    for _, entry in ipairs(call('XRANGE', box, place, '+', 'COUNT', 2 * BATCH)) do
        local from, number, letter = entry[2][2], entry[2][4], entry[2][6]
        if from == '#' and tonumber(number) > heard then
            unread[#unread + 1] = number
            unread[#unread + 1] = letter
        end
    end
end

-- Begin. Returns an error for a worker without a lease, which may change nothing.
--
-- The desk counts the time it has lived: when the clock jumps or Redis stands still, it
-- goes on by STRIDE at most, so that leases and grace periods do not all end at once.
local function open(may_be_stranger)
    local found = call('HMGET', DESK, 'sent:' .. me, unpack(COUNTERS))
    for i, name in ipairs(COUNTERS) do
        desk[name] = tonumber(found[i + 1]) or 0
        before[name] = desk[name]
    end
    if ARGV[4] ~= '' then
        wall = tonumber(ARGV[4])
        desk.time = wall
    else
        local time = call('TIME')
        wall = time[1] * 1000000 + time[2]
        desk.time = desk.time + math.min(math.max(wall - desk.seen, 0), STRIDE)
    end
    desk.seen = wall
    if found[1] then
        sent = tonumber(found[1])
        catch_up()
    elseif not may_be_stranger then
        return redis.error_reply('STRANGER this worker holds no lease')
    end
end

local leases = { [me] = true }
local function leased(worker)
    if leases[worker] == nil then
        leases[worker] = call('HEXISTS', DESK, 'sent:' .. worker) == 1
    end
    return leases[worker]
end

-- ---- people -----------------------------------------------------------------

local FIELDS = {
    'role', 'subject', 'name', 'avatar',
    'at', -- the workers that hold its sockets
    'home', -- the last one to hold any
    'talk', 'waiter', 'since', -- of a user
    'begun', -- of a user: somebody has served it in this talk
    'spoken', -- of a user: it has said something in this talk
    'question', 'page', -- of a user in the queue: what waiters are told of it; where it asks from
    'address', 'held', -- of a user: where it comes from; the address that its place is counted at
    'ready', 'capacity', 'load', 'bucket', -- of a waiter; bucket: the load it stands in `free` by
}
local people, changes = {}, {}

local function person(uuid)
    if people[uuid] == nil then
        local found = call('HMGET', PREFIX .. 'p:' .. uuid, unpack(FIELDS))
        people[uuid] = false
        if found[1] then
            local one = { uuid = uuid }
            for i, name in ipairs(FIELDS) do
                one[name] = found[i] or ''
            end
            people[uuid] = one
        end
    end
    return people[uuid]
end

local function set(one, name, value)
    value = type(value) == 'number' and text(value) or value
    one[name] = value
    changes[one.uuid] = changes[one.uuid] or {}
    table.insert(changes[one.uuid], name)
    table.insert(changes[one.uuid], value)
end

local function create(role, subject, uuid, name, avatar)
    local one = { uuid = uuid }
    for _, field in ipairs(FIELDS) do
        one[field] = ''
    end
    people[uuid] = one
    set(one, 'role', role)
    set(one, 'subject', subject)
    set(one, 'name', name)
    set(one, 'avatar', avatar)
    if role == 'waiter' then
        set(one, 'capacity', capacity)
        set(one, 'load', 0)
        desk.waiters = desk.waiters + 1
    end
    call('HSET', STANDING, role .. ':' .. subject, uuid)
    return one
end

local function here(one)
    return one.at ~= ''
end

local function on_duty(one)
    return one.role == 'waiter' and one.ready == '1' and here(one)
end

-- *one* was on duty or not before it changed.
local function count_duty(one, was)
    if on_duty(one) == was then
        return
    end
    desk.ready = desk.ready + (was and -1 or 1)
    if was then
        call('ZREM', DUTY, one.uuid)
    else
        call('ZADD', DUTY, desk.time, one.uuid)
    end
end

local function users_of(waiter)
    return call('ZRANGE', PREFIX .. 'users:' .. waiter.uuid, 0, -1)
end

-- Those whom *one* talks with.
local function others(one)
    local found = {}
    for _, uuid in ipairs(one.role == 'waiter' and users_of(one) or { one.waiter }) do
        found[#found + 1] = uuid ~= '' and person(uuid) or nil
    end
    return found
end

-- ---- events -----------------------------------------------------------------

local letters, addressees = {}, {}

local function put(worker, event)
    if not letters[worker] then
        letters[worker] = {}
        addressees[#addressees + 1] = worker
    end
    table.insert(letters[worker], event)
end

-- The workers that hear of what concerns *one*: those with sockets, else the last that had any.
local function hearers(one)
    local found = words(one.at)
    if #found == 0 and one.home ~= '' and leased(one.home) then
        found[1] = one.home
    end
    return found
end

-- Write an event for *workers*, of whom the first writes it down: or nobody, if it *is_kept*.
local function write(kind, about, fields, workers, is_kept)
    desk.decided = desk.decided + 1
    local known = {}
    for i, one in ipairs(about) do
        known[i] = { one.uuid, one.role, one.subject, one.name, one.at, one.avatar }
    end
    fields[#fields + 1] = known
    local rest = string.sub(cjson.encode(fields), 2)
    for i, worker in ipairs(workers) do
        local keeps = i == 1 and not is_kept and 'true' or 'false'
        put(worker, '["' .. kind .. '",' .. text(desk.decided) .. ',' .. keeps .. ',' .. rest)
    end
end

-- Tell whom it concerns, the side of the first of *concerned* before the others; if nobody
-- is left who could hear it, the caller hears it. *about*: who is described, else all of them.
local function tell(kind, concerned, fields, about)
    local workers, known = {}, {}
    for _, one in ipairs(concerned) do
        for _, worker in ipairs(hearers(one)) do
            if not known[worker] then
                known[worker] = true
                workers[#workers + 1] = worker
            end
        end
    end
    write(kind, about or concerned, fields, #workers > 0 and workers or { me })
end

-- Tell the other workers that speak for *one* what the caller has changed.
local function tell_siblings(kind, one, fields)
    local workers = {}
    for _, worker in ipairs(hearers(one)) do
        if worker ~= me then
            workers[#workers + 1] = worker
        end
    end
    if #workers > 0 then
        write(kind, { one }, fields, workers)
    end
end

-- Tell where the sockets of *one* are now; not the worker that has *caused* it.
local function tell_move(one, caused, former_home)
    local workers, known = {}, { [caused] = true }
    local function add(worker)
        if not known[worker] and leased(worker) then
            known[worker] = true
            workers[#workers + 1] = worker
        end
    end
    add(former_home or caused)
    for _, worker in ipairs(words(one.at)) do
        add(worker)
    end
    for _, other in ipairs(others(one)) do
        for _, worker in ipairs(hearers(other)) do
            add(worker)
        end
    end
    if #workers > 0 then
        write('V', { one }, { one.uuid }, workers)
    end
end

-- End: write back what has changed, post the letters of others, return the caller's.
local function close(answers)
    for uuid, fields in pairs(changes) do
        call('HSET', PREFIX .. 'p:' .. uuid, unpack(fields))
    end
    local own = ''
    for _, worker in ipairs(addressees) do
        local letter = '[' .. table.concat(letters[worker], ',') .. ']'
        local count = call('HINCRBY', DESK, 'sent:' .. worker, 1)
        if worker == me then
            sent, own = count, letter
        else
            call('XADD', PREFIX .. 'box:' .. worker, 'NOMKSTREAM', 'MAXLEN', '~', MOST_LETTERS,
                '*', 'f', '#', 'n', count, 'b', letter)
        end
    end
    local written = {}
    for name, value in pairs(desk) do
        if before[name] ~= value then
            written[#written + 1] = name
            written[#written + 1] = text(value)
        end
    end
    if #written > 0 then
        call('HSET', DESK, unpack(written))
    end
    return { answers, unread, text(sent), own }
end

-- ---- places and who gives them up --------------------------------------------

-- *user* has a place from now on, if its address is known.
local function hold_place(user)
    if user.held == '' and user.address ~= '' then
        set(user, 'held', user.address)
        call('SADD', PREFIX .. 'places:' .. user.address, user.uuid)
    end
end

local function give_place_back(user)
    if user.held ~= '' then
        call('SREM', PREFIX .. 'places:' .. user.held, user.uuid)
        set(user, 'held', '')
    end
end

-- *user* makes room from now on for those who are here.
local function yield(user)
    desk.yielded = desk.yielded + 1
    call('ZADD', user.waiter ~= '' and SEATS or WAITS, desk.yielded, user.uuid)
end

-- *user* is served no more; if it makes room, then where it waits.
local function unseat(user)
    local order = call('ZSCORE', SEATS, user.uuid)
    if order then
        call('ZREM', SEATS, user.uuid)
        call('ZADD', WAITS, order, user.uuid)
    end
end

-- *user* is here, or gone.
local function yield_no_more(user)
    call('ZREM', SEATS, user.uuid)
    call('ZREM', WAITS, user.uuid)
end

-- ---- tickets ----------------------------------------------------------------

-- Above every number given so far; of those in front their distance from 0 counts.
local function next_number()
    return math.max(desk.back + 1, 1 - desk.front, wall)
end

-- *user* has used its place, or has given it up: no ticket of it brings that back.
local function spend(user)
    call('ZADD', VOID, math.max(desk.back, -desk.front, wall), redis.sha1hex(user.subject))
end

-- *ticket* unless it is void.
local function good(user, ticket)
    local mark = ticket and call('ZSCORE', VOID, redis.sha1hex(user.subject))
    return not (mark and math.abs(ticket) <= tonumber(mark)) and ticket or nil
end

-- ---- matching ---------------------------------------------------------------

-- Put *waiter* where it belongs now; behind its equals if its load has changed.
local function refresh(waiter)
    local load = tonumber(waiter.load)
    local limit = tonumber(waiter.capacity)
    local bucket = ''
    if on_duty(waiter) and limit and load < limit then
        bucket = waiter.load
    end
    if bucket == waiter.bucket then
        return
    end
    set(waiter, 'bucket', bucket)
    if bucket == '' then
        call('ZREM', FREE, waiter.uuid)
    else
        desk.turn = desk.turn + 1
        call('ZADD', FREE, load * LOAD + desk.turn, waiter.uuid)
    end
end

local function link(user, waiter)
    set(user, 'waiter', waiter.uuid)
    set(user, 'begun', '1')
    desk.matches = desk.matches + 1
    desk.served = desk.served + 1
    call('ZADD', PREFIX .. 'users:' .. waiter.uuid, desk.matches, user.uuid)
    set(waiter, 'load', tonumber(waiter.load) + 1)
    refresh(waiter)
end

local function unlink(user, waiter)
    set(user, 'waiter', '')
    unseat(user)
    desk.served = desk.served - 1
    call('ZREM', PREFIX .. 'users:' .. waiter.uuid, user.uuid)
    set(waiter, 'load', tonumber(waiter.load) - 1)
    refresh(waiter)
end

-- What *user* wanted to ask is forgotten when it leaves the queue.
local function forget_question(user)
    if user.question ~= '' then
        set(user, 'question', '')
    end
end

-- *waiter* serves *user* from now on.
local function bring_together(user, waiter)
    spend(user)
    forget_question(user)
    link(user, waiter)
    tell('M', { user, waiter },
        { user.uuid, waiter.uuid, text(desk.time - tonumber(user.since)), user.talk })
end

local make_room_with_a_waiter -- see `parting`

-- Bring free waiters and waiting users together until one of them runs out.
local function match()
    if desk.settles > desk.time then
        return
    end
    while true do
        local free = call('ZRANGE', FREE, 0, 0)[1] or make_room_with_a_waiter()
        local uuid = free and call('ZPOPMIN', TAKEABLE)[1]
        if not uuid then
            return
        end
        call('ZREM', LINE, uuid)
        call('HDEL', TOLD, uuid)
        desk.stale = 1
        bring_together(person(uuid), person(free))
    end
end

-- ---- the line ---------------------------------------------------------------

local function waits(user)
    return call('ZSCORE', LINE, user.uuid)
end

local function take_place(user, ticket, ahead)
    call('ZADD', LINE, ticket, user.uuid)
    if here(user) then
        call('ZADD', TAKEABLE, ticket, user.uuid)
    end
    call('HSET', TOLD, user.uuid, ahead)
    set(user, 'since', desk.time)
end

-- Stand where *ticket* says, or at the back; returns how many are ahead.
local function stand(user, ticket)
    if ticket then
        ticket = math.min(ticket, wall)
        desk.stale = 1
    end
    local ahead
    if not ticket or ticket > desk.back then
        ahead = call('ZCARD', LINE)
        desk.back = math.max(next_number(), ticket or 0)
        ticket = desk.back
    else
        desk.front = math.min(desk.front, ticket)
        ahead = call('ZCOUNT', LINE, '-inf', '(' .. text(ticket))
    end
    take_place(user, ticket, ahead)
    return ahead
end

-- Stand before everybody else, the first of *users* foremost.
local function stand_in_front(users)
    for i = #users, 1, -1 do
        desk.front = -next_number()
        take_place(users[i], desk.front, -1)
        desk.stale = 1
    end
end

local function strike(user)
    if call('ZREM', LINE, user.uuid) == 0 then
        return false
    end
    call('ZREM', TAKEABLE, user.uuid)
    call('HDEL', TOLD, user.uuid)
    desk.stale = 1
    forget_question(user)
    return true
end

-- A line moves by a thousand at once: its people are told without many words.
local function tell_place(user, place, ticket)
    tell('Q', { user }, { user.uuid, place, text(tonumber(ticket)) }, {})
end

-- ---- parting ----------------------------------------------------------------

-- *lost*: *gone* was away for too long. The last field is a `port.Reason`.
local function tell_part(user, waiter, gone, requeued, lost)
    local on_purpose = gone == user.uuid and 'left' or 'ended'
    tell('P', { user, waiter },
        { user.uuid, waiter.uuid, gone, requeued, user.talk, lost and 'lost' or on_purpose })
    if not requeued then
        set(user, 'talk', '')
        set(user, 'begun', '')
        set(user, 'spoken', '')
        give_place_back(user)
    end
end

local function part(user, waiter, gone, lost)
    unlink(user, waiter)
    tell_part(user, waiter, gone, false, lost)
end

-- Tell those of *users*, who stand in front, that are not served yet.
local function tell_front(users)
    local place = 0
    for _, user in ipairs(users) do
        if user.waiter == '' then
            call('HSET', TOLD, user.uuid, place)
            tell_place(user, place, waits(user))
            place = place + 1
        end
    end
end

-- A waiter who has become free because somebody else needs the seat of an absent user, or nil.
-- That one is told on its return that its waiter is gone, and stands in front. A few seats are
-- kept all the same: pages of honest people, which are just loading.
make_room_with_a_waiter = function()
    local last = call('ZCARD', SEATS) - math.max(1, math.floor(desk.served / SEATS_KEPT)) - 1
    if last < 0 or call('ZCARD', TAKEABLE) == 0 then
        return nil
    end
    for _, uuid in ipairs(call('ZRANGE', SEATS, 0, last)) do
        local user = person(uuid)
        local waiter = person(user.waiter)
        if on_duty(waiter) and tonumber(waiter.load) <= (tonumber(waiter.capacity) or 0) then
            unlink(user, waiter)
            tell_part(user, waiter, waiter.uuid, true, true)
            stand_in_front({ user })
            tell_front({ user })
            return waiter.uuid
        end
    end
    return nil
end

-- The users of a waiter who is no more are told, and queued again where it was lost.
local function lose_users(waiter, requeue)
    local users = {}
    for i, uuid in ipairs(users_of(waiter)) do
        users[i] = person(uuid)
        set(users[i], 'waiter', '')
        unseat(users[i])
        desk.served = desk.served - 1
        tell_part(users[i], waiter, waiter.uuid, requeue, requeue)
    end
    call('DEL', PREFIX .. 'users:' .. waiter.uuid)
    if not requeue or #users == 0 then
        return
    end
    stand_in_front(users)
    match()
    tell_front(users)
end

-- ---- coming and going -------------------------------------------------------

local function holds(one, worker)
    for _, holder in ipairs(words(one.at)) do
        if holder == worker then
            return true
        end
    end
    return false
end

-- *one* has sockets at *worker* from now on. Does not match yet.
local function gain(one, worker)
    local duty, came = on_duty(one), not here(one)
    if one.role == 'waiter' and one.capacity == '' then -- only its users had told of it
        set(one, 'capacity', capacity)
    end
    set(one, 'at', came and worker or (one.at .. ' ' .. worker))
    set(one, 'home', worker)
    call('SADD', PREFIX .. 'of:' .. worker, one.uuid)
    if not came then
        return
    end
    call('ZREM', GRACE, one.uuid)
    if one.role == 'waiter' then
        count_duty(one, duty)
        refresh(one)
    else
        yield_no_more(one)
        local ticket = waits(one)
        if ticket then
            call('ZADD', TAKEABLE, ticket, one.uuid)
        end
    end
end

-- *one* is away from now on, and waited for. Those who go within the same ms keep their order.
local function begin_grace(one, is_brief)
    is_brief = is_brief and BRIEF < grace
    local counter = is_brief and 'briefed' or 'graced'
    local length = is_brief and BRIEF or grace
    local score = (math.floor(desk.time / 1000) + length) * 1024
    desk[counter] = math.max(score, desk[counter] + 1)
    call('ZADD', GRACE, desk[counter], one.uuid)
end

-- *one* has no socket at *worker* any more; with the last one it is away. *claim*: see `port.Claim`.
local function lose(one, worker, claim)
    local duty, left = on_duty(one), {}
    for _, holder in ipairs(words(one.at)) do
        if holder ~= worker then
            left[#left + 1] = holder
        end
    end
    call('SREM', PREFIX .. 'of:' .. worker, one.uuid)
    set(one, 'at', table.concat(left, ' '))
    if claim == 'spoken' and one.role == 'user' then
        set(one, 'spoken', '1')
    end
    if here(one) then
        return
    end
    set(one, 'home', worker)
    local is_silent = one.role == 'user' and one.spoken ~= '1'
    begin_grace(one, is_silent and claim == 'stranger')
    if one.role == 'waiter' then
        count_duty(one, duty)
        refresh(one)
    else
        call('ZREM', TAKEABLE, one.uuid)
        if is_silent and (claim == 'silent' or claim == 'stranger') then
            yield(one)
        end
    end
end

-- The caller has no socket of *one* any more. It is told who has: then it may forget it.
local function lose_here(one, claim)
    lose(one, me, claim)
    if here(one) then
        tell_move(one, '', me)
    else
        tell_move(one, me)
    end
end

-- *one* is no more. *lost*: it did not go on purpose.
local function depart(one, lost)
    call('ZREM', GRACE, one.uuid)
    call('HDEL', STANDING, one.role .. ':' .. one.subject)
    if one.role == 'waiter' then
        desk.waiters = desk.waiters - 1
        desk.ready = desk.ready - (on_duty(one) and 1 or 0)
        call('ZREM', FREE, one.uuid)
        call('ZREM', DUTY, one.uuid)
        lose_users(one, lost)
    else
        strike(one)
        yield_no_more(one)
        give_place_back(one)
        if one.waiter ~= '' then
            part(one, person(one.waiter), one.uuid, lost)
        end
    end
    tell('D', { one },
        { one.uuid, one.begun == '1' and one.talk or '', lost and 'lost' or 'left' })
    for _, worker in ipairs(words(one.at)) do
        call('SREM', PREFIX .. 'of:' .. worker, one.uuid)
    end
    call('DEL', PREFIX .. 'p:' .. one.uuid)
    people[one.uuid], changes[one.uuid] = false, nil
    match()
end

-- *worker* is given up: its letters go nowhere, its people are let go of by `tick`.
local function retire(worker)
    call('ZREM', WORKERS, worker)
    call('HDEL', DESK, 'sent:' .. worker, 'reads:' .. worker)
    call('DEL', PREFIX .. 'box:' .. worker, PREFIX .. 'held:' .. worker)
    call('SADD', DYING, worker)
    leases[worker] = false
end

