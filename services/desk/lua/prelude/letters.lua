-- Events, the letters that carry them, and how a script ends.
--
-- A letter is a list of events in msgpack. An event is a table of named fields: `event`, one of
-- EVENT, and what its class in `events.py` declares; `write` adds what `Decision` declares.

local letters, addressees = {}, {} -- worker → its events; these workers, in order

local function put(worker, event)
    if not letters[worker] then
        letters[worker] = {}
        addressees[#addressees + 1] = worker
    end
    table.insert(letters[worker], event)
end

-- The workers that hear of what concerns *one*: those with connections, else the last that had any.
local function hearers(one)
    local found = words(one.at)
    if #found == 0 and one.home ~= '' and leased(one.home) then
        found[1] = one.home
    end
    return found
end

-- Tell *workers* of *event*, which is about these participants. The first of the workers is the
-- recorder; none of them where the event *is_recorded*.
local function write(event, about, workers, is_recorded)
    desk.decided = desk.decided + 1
    event.number = desk.decided
    if #about > 0 then
        local people = {}
        for i, one in ipairs(about) do
            people[i] = described(one)
        end
        event.people = people
    end
    local heard = event -- as those read it that do not record it
    if is_recorded or #workers > 1 then
        heard = { is_recorder = false }
        for name, value in pairs(event) do
            heard[name] = value
        end
    end
    for i, worker in ipairs(workers) do
        put(worker, i == 1 and not is_recorded and event or heard)
    end
end

-- Tell whom *event* concerns, the side of the first of *concerned* before the others; if nobody
-- is left who could hear it, the caller hears it. *about*: who is described, else all of them.
local function tell(event, concerned, about)
    local workers, seen = {}, {}
    for _, one in ipairs(concerned) do
        for _, worker in ipairs(hearers(one)) do
            if not seen[worker] then
                seen[worker] = true
                workers[#workers + 1] = worker
            end
        end
    end
    write(event, about or concerned, #workers > 0 and workers or { me })
end

-- Tell the other workers that speak for *one* what the caller has changed.
local function tell_siblings(event, one)
    local workers = {}
    for _, worker in ipairs(hearers(one)) do
        if worker ~= me then
            workers[#workers + 1] = worker
        end
    end
    if #workers > 0 then
        write(event, { one }, workers)
    end
end

-- Tell where the connections of *one* are now; not the worker that has *caused* it.
local function tell_move(one, caused, former_home)
    local workers, seen = {}, { [caused] = true }
    local function add(worker)
        if not seen[worker] and leased(worker) then
            seen[worker] = true
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
        write({ event = EVENT.moved, participant = one.uuid }, { one }, workers)
    end
end

-- Post the letters of the other workers; returns the caller's own, or ''.
local function post()
    local own = ''
    for _, worker in ipairs(addressees) do
        local events = letters[worker]
        local letter = wants_former(worker) and former_letter(events) or cmsgpack.pack(events)
        local number = call('HINCRBY', DESK, MARK.sent .. worker, 1)
        if worker == me then
            sent, own = number, letter
        else
            call('XADD', mailbox_of(worker), 'NOMKSTREAM', 'MAXLEN', '~', CONSTANT.most_letters, '*',
                ENTRY.sender, SENDER.desk, ENTRY.number, number, ENTRY.letter, letter)
        end
    end
    return own
end

-- End: write back what has changed, post the letters, and reply to the caller. *answer* is what
-- this script answers: a number, a word, named fields in msgpack, or nothing.
local function close(answer)
    for uuid, fields in pairs(changes) do
        call('HSET', key_of(uuid), unpack(fields))
    end
    local own = post()
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
    return { [REPLY.answer] = answer or '', [REPLY.unread] = unread,
        [REPLY.number] = text(sent), [REPLY.own] = own }
end
