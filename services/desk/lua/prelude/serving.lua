-- Who serves whom.

local function link(user, waiter)
    set(user, FIELD.waiter, waiter.uuid)
    set(user, FIELD.begun, '1')
    if user.last ~= waiter.subject then
        set(user, FIELD.last, waiter.subject)
    end
    desk.matches = desk.matches + 1
    desk.served = desk.served + 1
    call('ZADD', users_key(waiter), desk.matches, user.uuid)
    begin_to_await_answer(user)
    set(waiter, FIELD.load, tonumber(waiter.load) + 1)
    refresh(waiter)
end

-- *goes_on*: another waiter serves *user* at once; if it is away, that changes nothing.
local function unlink(user, waiter, goes_on)
    set(user, FIELD.waiter, '')
    await_no_answer(user)
    if not goes_on then
        unseat(user)
    end
    desk.served = desk.served - 1
    call('ZREM', users_key(waiter), user.uuid)
    set(waiter, FIELD.load, tonumber(waiter.load) - 1)
    refresh(waiter)
end

-- *waiter* serves *user* from now on.
local function bring_together(user, waiter)
    spend(user)
    forget_question(user)
    local has_begun = user.begun == '1' or nil
    link(user, waiter)
    post_event({ event = EVENT.matched, user = user.uuid, waiter = waiter.uuid,
        waited = (desk.time - tonumber(user.since)) / 1000000, talk = given(user.talk),
        department = given(route_of(user).department), page = given(user.page),
        fields = given(user.fields), language = given(user.language), begun = has_begun },
        { user, waiter })
    set(user, FIELD.matched, text(desk.decided) .. ' ' .. text(desk.time))
end

-- The number of the decision by which *user* is served, if that was just now; else nil. The workers
-- that were told of it may all have been killed before one has written it.
local function fresh_match(user)
    local number, at = string.match(user.matched, '^(%d+) (%d+)$')
    return number and desk.time - tonumber(at) < CONSTANT.fresh_match and tonumber(number) or nil
end

-- *user* waits for nobody and is served by nobody: its next conversation is another one.
local function forget_conversation(user)
    set(user, FIELD.talk, '')
    set(user, FIELD.begun, '')
    set(user, FIELD.spoken, '')
    give_place_back(user)
end

-- *reason*: nil where *gone* has done it on purpose.
local function send_part(user, waiter, gone, requeued, reason)
    local on_purpose = gone == user.uuid and REASON.left or REASON.ended
    post_event({ event = EVENT.parted, user = user.uuid, waiter = waiter.uuid, gone = gone,
        reason = reason or on_purpose, requeued = requeued, talk = given(user.talk) },
        { user, waiter })
    if not requeued then
        forget_conversation(user)
    end
end

local function part(user, waiter, gone, reason)
    unlink(user, waiter)
    send_part(user, waiter, gone, false, reason)
end

-- ---- making room ------------------------------------------------------------

-- How many seats of absent users may be given away. A few are not: pages of honest visitors may be
-- loading.
local function seats_to_give()
    return call('ZCARD', SEATS) - math.max(1, math.floor(desk.served / CONSTANT.seats_kept))
end

local seats -- department → the absent user whose seat is given away first; nil: not known

local function find_seats(department)
    seats = {}
    local last = math.min(seats_to_give(), CONSTANT.batch) - 1
    for _, uuid in ipairs(last >= 0 and call('ZRANGE', SEATS, 0, last) or {}) do
        local user = participants[uuid] or { waiter = call('HGET', key_of(uuid), FIELD.waiter) }
        local waiter = participant(user.waiter)
        local gives = on_duty(waiter) and tonumber(waiter.load) <= (tonumber(waiter.capacity) or 0)
        for _, member in ipairs(gives and members_of(waiter) or {}) do
            if not seats[member[1]] and (desk.handed == 0 or first_takeable(member[1], waiter)) then
                seats[member[1]] = uuid
            end
        end
        if seats[department] and desk.apart == 0 then
            return -- nobody waits elsewhere
        end
    end
end

-- A waiter of *department* who has become free because another user needs the seat of an absent
-- one, or nil. On its return that user is sent that its waiter is gone, and stands in front.
local function make_room_with_a_waiter(department)
    if not seats or desk.handed > 0 then
        find_seats(department)
    end
    local user = seats[department] and participant(seats[department])
    if not user then
        return nil
    end
    local waiter = participant(user.waiter)
    unlink(user, waiter)
    send_part(user, waiter, waiter.uuid, true, REASON.lost)
    stand_in_front({ user })
    send_positions({ user })
    seats = nil
    return waiter.uuid
end
