-- A user asks for a waiter: it is matched, or takes its place in line.
-- ARGV[8] user  [9] the ticket of a place that it had, or ''  [10] its conversation, or ''
-- ARGV[11] how many places the users of one address may hold; 0: no bound
-- ARGV[12] '=' and what waiters are told of it, or ''  [13] where it asks from, or ''
-- Answers: 'full' when the queue is, 'address' when its address holds too many places. An error
-- NOBODY when there is no such user.

local STEP = 1048577 -- a ms and one: see `ascending`

local refused = open()
if refused then
    return refused
end
local user = person(ARGV[8])
if not user or user.role ~= 'user' then
    return redis.error_reply('NOBODY no such user')
end

-- What is told of it; of what it says nothing of, the former stays.
local function keep_words()
    local question, page = ARGV[12] or '', ARGV[13] or ''
    if question ~= '' then
        set(user, 'question', string.sub(question, 2))
    end
    if page ~= '' then
        set(user, 'page', page)
    end
end

if user.waiter ~= '' then
    return close({})
end
if waits(user) then
    keep_words()
    return close({})
end

-- A name for a conversation, *proposed* by the caller's clock, or after all names that were given
-- where that is behind. They have more digits than a number of Lua's holds, and equally many; the
-- step is one that no worker takes by itself (`Own.next_talk`).
local function ascending(proposed)
    local last = call('HGET', DESK, 'named') or ''
    if proposed ~= '' and #last == #proposed and last >= proposed then
        call('HINCRBY', DESK, 'named', STEP)
        return call('HGET', DESK, 'named')
    end
    if proposed ~= '' then
        call('HSET', DESK, 'named', proposed)
    end
    return proposed
end

-- Whoever of its address has been away the longest and has said nothing; all others stay.
local function yielding_neighbour()
    local found, longest
    for _, uuid in ipairs(call('SMEMBERS', PREFIX .. 'places:' .. user.address)) do
        local order = call('ZSCORE', SEATS, uuid) or call('ZSCORE', WAITS, uuid)
        if order and (not longest or tonumber(order) < longest) then
            found, longest = uuid, tonumber(order)
        end
    end
    return found
end

-- Whoever in the queue has been away the longest and has said nothing.
local function yielding_in_queue()
    for _, uuid in ipairs(call('ZRANGE', WAITS, 0, BATCH)) do
        if waits(person(uuid)) then
            return uuid
        end
    end
end

local bound = tonumber(ARGV[11] or '0')
if bound > 0 and user.address ~= '' and call('SCARD', PREFIX .. 'places:' .. user.address) >= bound then
    local uuid = yielding_neighbour()
    if not uuid then
        return close({ 'address' })
    end
    depart(person(uuid), true)
end
local free = call('ZRANGE', FREE, 0, 0)[1]
if not free and call('ZCARD', LINE) >= max_queue then
    local uuid = yielding_in_queue()
    if not uuid then
        return close({ 'full' })
    end
    depart(person(uuid), true)
end
if bound > 0 then
    hold_place(user)
end
if user.talk == '' then
    set(user, 'talk', ascending(ARGV[10]))
end
set(user, 'page', '')
keep_words() -- also of a user who is served at once: its waiter may be lost, and it waits again
if free and here(user) and desk.settles <= desk.time and call('ZCARD', TAKEABLE) == 0 then
    set(user, 'since', desk.time)
    bring_together(user, person(free)) -- nobody is before it
    return close({})
end
local ahead = stand(user, good(user, tonumber(ARGV[9])))
match()
if user.waiter == '' then
    tell_place(user, ahead, waits(user))
end
return close({})
