-- Places, which the users of one address hold, and users who make room for others.

local function places_of(address)
    return PREFIX .. KEY.places .. address
end

-- *user* has a place from now on, if its address is known.
local function hold_place(user)
    if user.held == '' and user.address ~= '' then
        set(user, FIELD.held, user.address)
        call('SADD', places_of(user.address), user.uuid)
    end
end

local function give_place_back(user)
    if user.held ~= '' then
        call('SREM', places_of(user.held), user.uuid)
        set(user, FIELD.held, '')
    end
end

-- *user* makes room from now on for those who are here.
local function yield(user)
    desk.yielded = desk.yielded + 1
    call('ZADD', user.waiter ~= '' and SEATS or WAITS, desk.yielded, user.uuid)
end

-- *user* is served no more; if it makes room, then where it waits.
local function unseat(user)
    wake(user)
    local order = call('ZSCORE', SEATS, user.uuid)
    if order then
        call('ZREM', SEATS, user.uuid)
        call('ZADD', WAITS, order, user.uuid)
    end
end

-- *user* is here, or gone.
local function yield_no_more(user)
    call('ZREM', SEATS, user.uuid)
    call('ZREM', WAITS, user.uuid)
end
