-- How long participants are waited for who are away.

-- The score in GRACE of a grace period that ends at this ms; those who go within the same ms
-- keep their order, because a counter counts on from it.
local function grace_score(ms)
    return ms * 1024
end

local SLEEPERS = 512 -- what the scores of those who may sleep are behind others of the same ms

-- *one* is away from now on, and waited for.
local function begin_grace(one, is_brief)
    local length, counter, behind = tonumber(ARG.grace), COUNTER.graced, 0
    if one.sleep ~= '' and one.waiter ~= '' then
        length, counter, behind = math.max(length, tonumber(one.sleep)), COUNTER.slept, SLEEPERS
    elseif is_brief and CONSTANT.anonymous_grace < length then
        length, counter = CONSTANT.anonymous_grace, COUNTER.briefed
    end
    local score = grace_score(math.floor(desk.time / 1000) + length) + behind
    desk[counter] = math.max(score, desk[counter] + 1)
    call('ZADD', GRACE, desk[counter], one.uuid)
end

-- *user* is served no more: it may not sleep on, and its usual grace period begins.
local function wake(user)
    if user.sleep ~= '' then
        set(user, FIELD.sleep, '')
        if call('ZSCORE', GRACE, user.uuid) then
            begin_grace(user)
        end
    end
end
