-- What strangers hold and spend at all workers together (`services/bounds.py`).
-- ARGV[8] JSON, a list of
--   [ 'hold', key, most ]   the caller holds one more, unless all workers hold *most* together
--   [ 'release', key ]      the caller holds one less
--   [ 'all', { key: count } ]  what the caller holds, all told
--   [ 'spend', key, µs between two, how many at once ]
-- Answers: 1, or 0 for what is refused, for each of them.
--
-- Keys: held:WORKER hash: how many the worker holds of each key
--       rate:KEY    string: µs since 1970 at which all that was spent is made up for

local refused = open()
if refused then
    return refused
end
local own = PREFIX .. 'held:' .. me
local workers

local function held_elsewhere(key)
    workers = workers or call('ZRANGE', WORKERS, 0, -1)
    local sum = 0
    for _, worker in ipairs(workers) do
        if worker ~= me then
            sum = sum + (tonumber(call('HGET', PREFIX .. 'held:' .. worker, key)) or 0)
        end
    end
    return sum
end

local function release(key)
    if call('HINCRBY', own, key, -1) <= 0 then
        call('HDEL', own, key)
    end
end

local WORK = {}

function WORK.hold(key, most)
    if call('HINCRBY', own, key, 1) + held_elsewhere(key) <= most then
        return 1
    end
    release(key)
    return 0
end

function WORK.release(key)
    release(key)
    return 1
end

function WORK.all(held)
    call('DEL', own)
    for key, count in pairs(held) do
        call('HSET', own, key, count)
    end
    return 1
end

function WORK.spend(key, interval, at_once)
    local rate = PREFIX .. 'rate:' .. key
    local made_up = math.max(tonumber(call('GET', rate)) or 0, wall) + interval
    if made_up - wall > interval * at_once + 1 then
        return 0
    end
    call('SET', rate, text(made_up), 'PX', math.ceil((made_up - wall) / 1000) + 1)
    return 1
end

local answers = {}
for i, one in ipairs(cjson.decode(ARGV[8])) do
    answers[i] = WORK[one[1]](unpack(one, 2))
end
return close(answers)
