-- What addresses and participants hold and spend at all workers together (`services/bounds.py`).
-- ARG.asked  a list of what `questions.py` declares, in msgpack
-- Answers: 1, or 0 for what is refused, for each of them.

local refused = open()
if refused then
    return refused
end

local function held_at(worker)
    return PREFIX .. KEY.holds .. worker
end

local own = held_at(me)
local workers

local function held_elsewhere(key)
    workers = workers or call('ZRANGE', WORKERS, 0, -1)
    local sum = 0
    for _, worker in ipairs(workers) do
        if worker ~= me then
            sum = sum + (tonumber(call('HGET', held_at(worker), key)) or 0)
        end
    end
    return sum
end

local function release(key)
    if call('HINCRBY', own, key, -1) <= 0 then
        call('HDEL', own, key)
    end
end

local answer_to = {}

answer_to[ASK.hold] = function(asked)
    if call('HINCRBY', own, asked.key, 1) + held_elsewhere(asked.key) <= asked.most then
        return 1
    end
    release(asked.key)
    return 0
end

answer_to[ASK.release] = function(asked)
    release(asked.key)
    return 1
end

answer_to[ASK.hold_all] = function(asked)
    call('DEL', own)
    for key, count in pairs(asked.held) do
        call('HSET', own, key, count)
    end
    return 1
end

answer_to[ASK.spend] = function(asked)
    local rate = PREFIX .. KEY.rate .. asked.key
    local made_up = math.max(tonumber(call('GET', rate)) or 0, wall) + asked.interval
    if made_up - wall > asked.interval * asked.at_once + 1 then
        return 0
    end
    call('SET', rate, text(made_up), 'PX', math.ceil((made_up - wall) / 1000) + 1)
    return 1
end

local answers = {}
for i, asked in ipairs(cmsgpack.unpack(ARG.asked)) do
    answers[i] = answer_to[asked.ask](asked)
end
return close(answers)
