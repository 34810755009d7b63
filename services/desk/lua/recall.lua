-- A worker that has just joined tells of some of those it remembers: the desk learns what it
-- does not know, and the worker what is no longer true.
-- ARGV[8] the memory (see taking_up.lua)  [9] 1 if the desk has lost what the worker knows
-- Answers: 1, or 0 when nothing was done: the worker is to hear its letters first.

local refused = open()
if refused then
    return refused
end
if #unread > 0 then
    return close({ 0 })
end
local lost = ARGV[9] == '1'
if lost and desk.settles > desk.time then
    desk.settles = desk.time + SETTLE -- others may have more to tell
end

-- Tell the caller alone what it does not know. Others have written it down, unless it *keeps* it.
local function confide(kind, about, fields, keeps)
    write(kind, about, fields, { me }, not keeps)
end

-- The other workers that hold sockets of *one*, as a memory names them.
local function without_me(one)
    local found = {}
    for _, worker in ipairs(words(one.at)) do
        if worker ~= me then
            found[#found + 1] = worker
        end
    end
    return table.concat(found, ' ')
end

local memory = cjson.decode(ARGV[8])
local own, present, claimed = {}, {}, {}
local departed = {} -- while the caller was out of reach; their talks are over

for _, one in ipairs(memory.people) do
    local uuid, role, subject, name, is_present, is_own, ready, most = unpack(one)
    ready = ready and '1' or ''
    local standing = call('HGET', STANDING, role .. ':' .. subject)
    if standing and standing ~= uuid then
        if is_own then -- its subject has come elsewhere meanwhile, as somebody new
            local former = { uuid = uuid, role = role, subject = subject, name = name, at = '' }
            former.avatar = one[14] or ''
            confide('D', { former }, { uuid, '', '' })
        end
    else
        if not standing and (is_own or lost) then
            take_up_person(one)
            departed[uuid] = not lost
            if departed[uuid] then
                set(person(uuid), 'talk', one[12])
            end
        end
        local known = person(uuid)
        if known and is_own then
            own[#own + 1] = one
            if role == 'user' and known.address == '' then
                set(known, 'address', one[13] or '')
            end
            present[uuid] = is_present
            if is_present and not holds(known, me) then
                local former_home = known.home ~= '' and known.home or nil
                gain(known, me)
                if standing then
                    tell_move(known, me, former_home)
                end
            elseif known.home == '' then
                set(known, 'home', me)
            end
            if role == 'waiter' and (known.ready ~= ready or known.capacity ~= most) then
                if lost then
                    local duty = on_duty(known)
                    set(known, 'ready', ready)
                    set(known, 'capacity', most)
                    count_duty(known, duty)
                    refresh(known)
                    tell_siblings('R', known, { uuid, ready == '1', most })
                else
                    confide('R', { known }, { uuid, known.ready == '1', known.capacity })
                end
            end
        end
    end
end

local stranded = {} -- users whose waiter has come as somebody new
for _, chat in ipairs(memory.chats) do
    local user, waiter = person(chat[1]), person(chat[2])
    if lost then
        take_up_chat(user, waiter)
    end
    if user and user.waiter == chat[2] and user.talk == chat[3] then
        claimed[chat[1] .. chat[2]] = true
    else
        local about = {}
        about[1] = user or waiter or nil
        about[2] = user and waiter or nil
        local gone = present[chat[1]] ~= nil and chat[2] or chat[1] -- not the caller's own side
        local goes_on = user and user.talk == chat[3] and not departed[chat[1]]
        if lost and goes_on and user.waiter == '' and not waits(user) then
            stranded[#stranded + 1] = user
        end
        local keeps = goes_on and user.waiter == '' -- not over what came after it
        -- Why it has ended is in the history, if anybody has written it down.
        confide('P', about,
            { chat[1], chat[2], gone, goes_on or false, chat[3], goes_on and 'lost' or '' }, keeps)
    end
end
stand_in_front(stranded)
for i, user in ipairs(stranded) do
    set(user, 'begun', '1')
    call('HSET', TOLD, user.uuid, i - 1)
end
begin_their_grace()

local told = {} -- where these are
for _, one in ipairs(own) do
    local known, ticket, elsewhere = person(one[1]), one[9], one[11]
    local waiting = known.role == 'user' and known.waiter == '' and waits(known)
    if ticket ~= '' and not waiting and known.waiter == '' then
        if lost or departed[known.uuid] then
            waiting = tonumber(ticket)
            desk.front, desk.back = math.min(desk.front, waiting), math.max(desk.back, waiting)
            take_place(known, waiting, call('ZCOUNT', LINE, '-inf', '(' .. ticket))
            desk.stale = 1
        else
            confide('W', { known }, { known.uuid })
        end
    end
    if known.role == 'user' and (waiting or known.waiter ~= '') then
        hold_place(known) -- it may be forgotten how many places its address has
    end
    for _, other in ipairs(others(known)) do
        local user = known.role == 'user' and known or other
        local waiter = known.role == 'user' and other or known
        if not claimed[user.uuid .. waiter.uuid] then
            claimed[user.uuid .. waiter.uuid] = true
            confide('M', { user, waiter }, { user.uuid, waiter.uuid, '0', user.talk }, true)
        end
        if not holds(other, me) and not told[other.uuid] then -- it may have moved unheard
            told[other.uuid] = true
            confide('V', { other }, { other.uuid })
        end
    end
    if without_me(known) ~= elsewhere or here(known) and not present[known.uuid] then
        confide('V', { known }, { known.uuid })
    end
    if waiting then
        confide('Q', { known }, { known.uuid, tonumber(call('HGET', TOLD, known.uuid)),
            text(tonumber(waiting)) })
    end
end
match()
return close({ 1 })
