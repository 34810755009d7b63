-- The participants that a script looks at. What it sets is written back by `close`.

local FIELDS = LIST.fields
local participants, changes = {}, {}

-- The participant of this UUID; false where there is none.
local function participant(uuid)
    if participants[uuid] == nil then
        local found = call('HMGET', key_of(uuid), unpack(FIELDS))
        participants[uuid] = false
        if found[1] then
            local one = { uuid = uuid }
            for i, name in ipairs(FIELDS) do
                one[name] = found[i] or ''
            end
            participants[uuid] = one
        end
    end
    return participants[uuid]
end

local function set(one, field, value)
    value = type(value) == 'number' and text(value) or value
    one[field] = value
    changes[one.uuid] = changes[one.uuid] or {}
    table.insert(changes[one.uuid], field)
    table.insert(changes[one.uuid], value)
end

-- The user, or the waiter, of this UUID; nil where there is none.
local function as(role, uuid)
    local one = participant(uuid)
    return one and one.role == role and one or nil
end

local function nobody(role)
    return redis.error_reply(REFUSED.nobody .. ' no such ' .. role)
end

local function here(one)
    return one.at ~= ''
end

-- No worker that holds connections of *one* sees any life on its pages.
local function is_frozen(one)
    local frozen = {}
    for _, worker in ipairs(words(one.frozen)) do
        frozen[worker] = true
    end
    for _, worker in ipairs(words(one.at)) do
        if not frozen[worker] then
            return false
        end
    end
    return true
end

-- Why *waiter* cannot get one more user now, whoever that is; nil: it is free.
local function obstacle(waiter)
    if waiter.at == '' then
        return OBSTACLE.away
    elseif waiter.ready ~= '1' then
        return OBSTACLE.not_ready
    elseif waiter.frozen ~= '' and is_frozen(waiter) then
        return OBSTACLE.frozen
    end
    return tonumber(waiter.load) >= (tonumber(waiter.capacity) or 0) and OBSTACLE.full or nil
end

-- *one* is a waiter who is free, or serves as many as it may.
local function on_duty(one)
    local found = one.role ~= ROLE.waiter and OBSTACLE.away or obstacle(one)
    return not found or found == OBSTACLE.full
end

local function users_key(waiter)
    return PREFIX .. KEY.users .. waiter.uuid
end

local function users_of(waiter)
    return call('ZRANGE', users_key(waiter), 0, -1)
end

-- Those with whom *one* has conversations.
local function others(one)
    local found = {}
    for _, uuid in ipairs(one.role == ROLE.waiter and users_of(one) or { one.waiter }) do
        found[#found + 1] = uuid ~= '' and participant(uuid) or nil
    end
    return found
end

-- *one* as `Known` in `events.py`.
local function described(one)
    return { uuid = one.uuid, role = one.role, subject = one.subject, name = one.name,
        workers = one.at ~= '' and words(one.at) or nil, avatar = given(one.avatar) }
end
