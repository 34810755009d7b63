-- A worker that has just joined hands over some of the participants that it remembers. The desk
-- takes up what it does not know, and sends the worker what is no longer true.
-- ARG.memory  a `Memory` (`letters.py`), in msgpack
-- ARG.lost    1 if the desk has lost what the worker knows
-- Answers: 1, or 0 when nothing was done: the worker has to read its letters first.

local refused = open()
if refused then
    return refused
end
if #unread > 0 then
    return close(0)
end
local lost = ARG.lost == '1'
if lost and desk.settles > desk.time then
    desk.settles = desk.time + SETTLE -- other workers may have more to hand over
end

-- Send the caller alone what it does not know. Others have recorded it, unless it *is_recorder*.
local function confide(event, about, is_recorder)
    event.is_confided = true
    write(event, about, { me }, not is_recorder)
end

local function confide_move(one)
    confide({ event = EVENT.moved, participant = one.uuid }, { one })
end

local memory = cmsgpack.unpack(ARG.memory)
local own = {} -- of those remembered whom the caller speaks for: what it remembers
local present = {} -- their UUIDs → whether the caller has connections of them
local departed = {} -- while the caller was out of reach; their conversations are over

-- ---- participants -----------------------------------------------------------

-- Its subject has come to another worker meanwhile, as a new participant.
local function confide_replaced(remembered)
    local former = { uuid = remembered.uuid, role = remembered.role, subject = remembered.subject,
        name = remembered.name, avatar = remembered.avatar or '', at = '' }
    confide({ event = EVENT.departed, participant = former.uuid, reason = REASON.unknown }, { former })
end

-- The caller's connections of *one* count, whether the desk knew it before or not.
local function take_connections(one, is_present, was_known)
    if is_present and not holds(one, me) then
        local former_home = given(one.home)
        gain(one, me)
        if was_known then
            post_move(one, me, former_home)
        end
    elseif one.home == '' then
        set(one, FIELD.home, me)
    end
end

-- Whether *waiter* takes users, and how many at once: of caller and desk, one knows it better.
local function agree_on_duty(waiter, remembered)
    local ready = remembered.ready and '1' or ''
    if waiter.ready == ready and waiter.capacity == remembered.capacity then
        return
    end
    if lost then
        set_ready(waiter, remembered.ready, remembered.capacity)
        send_duty(waiter)
    else
        confide({ event = EVENT.on_duty, waiter = waiter.uuid, ready = waiter.ready == '1',
            capacity = tonumber(waiter.capacity) or 0 }, { waiter })
    end
end

-- The desk has lost where *one* belongs; another worker has handed it over without that.
local function recall_departments(one, remembered)
    if one.role == ROLE.waiter and (remembered.present or one.route == '') then
        assign(one, packed_members(remembered))
    elseif one.role == ROLE.user and one.route == '' and not waits(one) then
        take_up_route(one, remembered)
    end
end

-- The desk has lost that *one* may sleep; its waiter's worker has handed it over without that.
local function recall_sleep(one, remembered)
    if one.role == ROLE.user and remembered.sleep and one.sleep == '' and not here(one) then
        set(one, FIELD.sleep, remembered.sleep)
        taken_up[#taken_up + 1] = one -- its grace period begins anew
    end
end

local function recall_participant(remembered)
    local uuid, is_own = remembered.uuid, remembered.own
    local standing = call('HGET', STANDING, remembered.role .. ':' .. remembered.subject)
    if standing and standing ~= uuid then
        if is_own then
            confide_replaced(remembered)
        end
        return
    end
    if not standing and (is_own or lost) then
        take_up_participant(remembered)
        departed[uuid] = not lost
        if departed[uuid] then
            set(participant(uuid), FIELD.talk, remembered.next_talk or '')
            set(participant(uuid), FIELD.begun, '')
        end
    end
    local one = participant(uuid)
    if not one or not is_own then
        return
    end
    own[#own + 1] = remembered
    if one.role == ROLE.user and one.address == '' then
        set(one, FIELD.address, remembered.address or '')
    end
    if lost and standing then
        if remembered.begun and one.talk == remembered.talk then
            set(one, FIELD.begun, '1') -- its waiter's worker has handed it over without that
        end
        recall_departments(one, remembered)
        recall_sleep(one, remembered)
    end
    present[uuid] = remembered.present or false
    take_connections(one, remembered.present, standing)
    if one.role == ROLE.waiter then
        agree_on_duty(one, remembered)
    end
end

for _, remembered in ipairs(memory.people) do
    recall_participant(remembered)
end

-- ---- conversations ----------------------------------------------------------

local agreed = {} -- conversations that the caller and the desk agree on
local stranded = {} -- users whose waiter has come as a new participant

-- The caller remembers a conversation that has ended.
local function confide_end(conversation, user, waiter)
    local about = {}
    about[1] = user or waiter or nil
    about[2] = user and waiter or nil
    local gone = present[conversation.user] ~= nil and conversation.waiter or conversation.user -- not the caller's own side
    local goes_on = user and user.talk == conversation.talk and not departed[conversation.user] or false
    if lost and goes_on and user.waiter == '' and not waits(user) then
        stranded[#stranded + 1] = user
    end
    local is_recorder = goes_on and user.waiter == '' -- not over what came after it
    -- Why it has ended is in the history, if any worker has recorded it.
    confide({ event = EVENT.parted, user = conversation.user, waiter = conversation.waiter, gone = gone,
        reason = goes_on and REASON.lost or REASON.unknown, requeued = goes_on,
        talk = given(conversation.talk) }, about, is_recorder)
end

for _, conversation in ipairs(memory.chats) do
    local user, waiter = participant(conversation.user), participant(conversation.waiter)
    if lost then
        take_up_conversation(user, waiter, false, true)
    end
    if user and user.waiter == conversation.waiter and user.talk == conversation.talk then
        agreed[conversation.user .. conversation.waiter] = true
        if conversation.answered then
            await_no_answer(user)
        end
    else
        confide_end(conversation, user, waiter)
    end
end
stand_in_front(stranded)
for _, user in ipairs(stranded) do
    local route = route_of(user)
    set(user, FIELD.begun, '1')
    call('HSET', TOLD, user.uuid, ahead_of(route.department, route.priority, waits(user)))
end
begin_their_grace()

-- ---- what the caller does not know --------------------------------------------

-- The ticket by which *user* waits, or false. One that the caller has *remembered* counts where
-- the desk has lost it.
local function recall_position(user, remembered)
    local ticket, talk = remembered.ticket, remembered.talk
    local waiting = user.role == ROLE.user and user.waiter == '' and waits(user)
    if not ticket or waiting or user.waiter ~= '' then
        return waiting
    end
    if not lost and not departed[user.uuid] then
        confide({ event = EVENT.withdrawn, user = user.uuid, talk = talk ~= user.talk and talk or nil },
            { user })
        return false
    end
    local number = tonumber(ticket)
    desk.front, desk.back = math.min(desk.front, number), math.max(desk.back, number)
    local route = route_of(user)
    set(user, FIELD.since, desk.time)
    stand(user, number, ahead_of(route.department, route.priority, ticket))
    change(route.department)
    return number
end

local reported = {} -- participants of whom the caller is sent where they are

-- Those with whom *one* has conversations, and where they are.
local function confide_others(one)
    for _, other in ipairs(others(one)) do
        local user = one.role == ROLE.user and one or other
        local waiter = one.role == ROLE.user and other or one
        if not agreed[user.uuid .. waiter.uuid] then
            agreed[user.uuid .. waiter.uuid] = true
            confide({ event = EVENT.matched, user = user.uuid, waiter = waiter.uuid, waited = 0,
                talk = given(user.talk), department = given(route_of(user).department), begun = true },
                { user, waiter }, true)
        end
        if not holds(other, me) and not reported[other.uuid] then -- the caller may have missed that it moved
            reported[other.uuid] = true
            confide_move(other)
        end
    end
end

for _, remembered in ipairs(own) do
    local one = participant(remembered.uuid)
    local waiting = recall_position(one, remembered)
    if one.role == ROLE.user and (waiting or one.waiter ~= '') then
        hold_place(one) -- it may be forgotten how many places its address has
    end
    confide_others(one)
    local elsewhere = table.concat(without(one, me), ' ')
    if elsewhere ~= (remembered.elsewhere or '') or here(one) and not present[one.uuid] then
        confide_move(one)
    end
    if waiting then
        confide({ event = EVENT.queued, user = one.uuid, ticket = tonumber(waiting),
            location = tonumber(call('HGET', TOLD, one.uuid)),
            department = given(route_of(one).department) }, { one })
    end
end
match()
return close(1)
