-- Stands before `tick`: users in the queues are sent their positions where these have changed.

-- Send their positions to the users of *department* between two positions whose position has
-- changed. These users have the same *priority*, and *ahead* are before all of that.
local function send_some(department, priority, ahead, first, last)
    local queue = call('ZRANGE', key_in(QUEUE, department, priority), first, last, 'WITHSCORES')
    local uuids = {}
    for i = 1, #queue, 2 do
        uuids[#uuids + 1] = queue[i]
    end
    local sent_before, news = call('HMGET', TOLD, unpack(uuids)), {}
    for i, uuid in ipairs(uuids) do
        local position = ahead + first + i - 1
        if tonumber(sent_before[i]) ~= position then
            news[#news + 1] = uuid
            news[#news + 1] = position
            local user = participants[uuid]
            if not user then -- no more of it than is needed
                local found = call('HMGET', key_of(uuid), FIELD.at, FIELD.home)
                user = { uuid = uuid, at = found[1] or '', home = found[2] or '' }
            end
            send_position(user, position, queue[2 * i], department)
        end
    end
    if #news > 0 then
        call('HSET', TOLD, unpack(news))
    end
end

-- The same of all priorities.
local function send_between(department, first, last)
    local ahead = 0
    for _, priority in ipairs(priorities()) do
        if last < math.max(first, ahead) then
            return
        end
        local length = call('ZCARD', key_in(QUEUE, department, priority))
        local from, to = math.max(first - ahead, 0), math.min(last - ahead, length - 1)
        if from <= to then
            send_some(department, priority, ahead, from, to)
        end
        ahead = ahead + length
    end
end

-- ---- whose turn it is -------------------------------------------------------

-- A turn is one department whose positions have changed, or are still to be looked at: its `lap`
-- is how many of them; `going` is the position at which the last round has ended.

-- Of '', which workers of the release before send positions too: they know by its ticket who is
-- next, and no priorities.
local function own_turn()
    if desk.stale == 0 and desk.lap <= 0 then
        return nil
    end
    local going = desk.going
    if desk.ranks == 0 then
        going = call('ZCOUNT', QUEUE, '-inf', '(' .. text(going))
    end
    return { department = '', has_changed = desk.stale == 1, lap = desk.lap, going = going }
end

local function end_own_turn(turn)
    desk.stale, desk.lap, desk.going = 0, turn.lap, turn.going
    if desk.ranks == 0 then
        desk.going = tonumber(call('ZRANGE', QUEUE, turn.going, turn.going, 'WITHSCORES')[2]) or 0
    end
end

-- Of all other departments, by their keys.
local function other_turns()
    local found, turns = {}, {}
    for department, lap in pairs(named(call('HGETALL', PREFIX .. KEY.laps))) do
        local numbers = words(lap)
        found[department] = { department = department, lap = tonumber(numbers[1]),
            going = tonumber(numbers[2]) }
    end
    for _, department in ipairs(call('SPOP', PREFIX .. KEY.stale, CONSTANT.batch)) do
        found[department] = found[department] or { department = department, lap = 0, going = 0 }
        found[department].has_changed = true
    end
    for _, turn in pairs(found) do
        turns[#turns + 1] = turn
    end
    table.sort(turns, function(turn, next_turn)
        return turn.department < next_turn.department
    end)
    return turns
end

local function end_turn(turn)
    if turn.lap > 0 then
        call('HSET', PREFIX .. KEY.laps, turn.department, turn.lap .. ' ' .. turn.going)
    else
        call('HDEL', PREFIX .. KEY.laps, turn.department)
    end
end

-- ---- a round ----------------------------------------------------------------

-- At most *most* of the foremost users.
local function send_foremost(turn, most)
    turn.length = length_of(turn.department)
    turn.foremost = math.min(most, turn.length)
    turn.lap = math.min(turn.has_changed and turn.length or turn.lap, turn.length - turn.foremost)
    send_between(turn.department, 0, turn.foremost - 1)
end

-- At most *most* of those behind them.
local function send_others(turn, most)
    if turn.lap <= 0 then
        turn.lap, turn.going = 0, 0
        return
    end
    local first = math.max(turn.foremost, turn.going)
    if first >= turn.length then
        first = turn.foremost
    end
    local last = math.min(first + most, turn.length) - 1
    send_between(turn.department, first, last)
    turn.lap, turn.going = turn.lap - (last - first + 1), last + 1
end

-- Of each department the foremost always, the others in turns: one lap through its queue for each
-- change. All departments together send no more than two batches.
local function send_changed_positions()
    if desk.time - desk.told_at < CONSTANT.positions_every then
        return
    end
    local own, turns = own_turn(), desk.unsent == 1 and other_turns() or {}
    if own then
        table.insert(turns, 1, own)
    end
    if #turns == 0 then
        return
    end
    desk.told_at = desk.time
    local most = math.max(1, math.floor(CONSTANT.batch / #turns))
    for _, turn in ipairs(turns) do
        send_foremost(turn, most)
    end
    for _, turn in ipairs(turns) do
        send_others(turn, most)
        if turn == own then
            end_own_turn(turn)
        else
            end_turn(turn)
        end
    end
    if desk.unsent == 1 and call('EXISTS', PREFIX .. KEY.stale, PREFIX .. KEY.laps) == 0 then
        desk.unsent = 0
    end
end
