-- Stands before every script of the desk: its keys, and the arguments of the script.
--
-- KEYS[1] is the key of the desk, the only one that is declared. All others are made of it and
-- share its hash tag, so that they are in the same slot of a Redis Cluster.
--
-- Words in capitals with a dot (KEY.queue, FIELD.talk, EVENT.matched, ARG.worker …) are declared
-- in `vocabulary.py`, `events.py` and `port.py`. `scripts.py` puts their values in their places
-- when the scripts are loaded.

local call = redis.call
local DESK = KEYS[1]
local PREFIX = string.sub(DESK, 1, -1 - #KEY.desk)
local STANDING, WORKERS, DYING = PREFIX .. KEY.standing, PREFIX .. KEY.workers, PREFIX .. KEY.dying
local QUEUE, TAKEABLE, TOLD = PREFIX .. KEY.queue, PREFIX .. KEY.takeable, PREFIX .. KEY.told
local GRACE, FREE, VOID = PREFIX .. KEY.grace, PREFIX .. KEY.free, PREFIX .. KEY.void
local SEATS, WAITS, DUTY = PREFIX .. KEY.seats, PREFIX .. KEY.waits, PREFIX .. KEY.duty
local me = ARG.worker

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

-- *value*, or nil for empty text: named fields without a value are left out.
local function given(value)
    return value ~= '' and value or nil
end

local function key_of(participant)
    return PREFIX .. KEY.participant .. participant
end

local function mailbox_of(worker)
    return PREFIX .. KEY.mailbox .. worker
end

-- Whom *worker* holds connections of.
local function held_by(worker)
    return PREFIX .. KEY.held_by .. worker
end
