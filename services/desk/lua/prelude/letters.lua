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

-- The workers that get events about *one*: those with connections, else the last that had any.
local function recipients(one)
    local found = words(one.at)
    if #found == 0 and one.home ~= '' and leased(one.home) then
        found[1] = one.home
    end
    return found
end

-- Write *event*, which is about these participants, into the letters to *workers*. The first of
-- the workers is the recorder; none of them where the event *is_recorded*.
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
    local copy = event -- as workers get it that do not record it
    if is_recorded or #workers > 1 then
        copy = { is_recorder = false }
        for name, value in pairs(event) do
            copy[name] = value
        end
    end
    for i, worker in ipairs(workers) do
        put(worker, i == 1 and not is_recorded and event or copy)
    end
end

-- Post *event* to the workers of those *concerned*, of the first of them first; where there is no
-- such worker, to the caller. *about*: the participants that are described, else all of them.
local function post_event(event, concerned, about)
    local workers, seen = {}, {}
    for _, one in ipairs(concerned) do
        for _, worker in ipairs(recipients(one)) do
            if not seen[worker] then
                seen[worker] = true
                workers[#workers + 1] = worker
            end
        end
    end
    write(event, about or concerned, #workers > 0 and workers or { me })
end

-- Post where the connections of *one* are now; not to the worker that has *caused* it.
local function post_move(one, caused, former_home)
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
        for _, worker in ipairs(recipients(other)) do
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
