-- Which users wait for the first word of their waiters, and until when. A user who is away needs no
-- answer: its time stands still.

local UNANSWERED = PREFIX .. KEY.unanswered

-- *user* is here, and waits for an answer for so many µs more.
local function await_answer(user, left)
    call('ZADD', UNANSWERED, text(desk.time + left), user.uuid)
end

-- *user* was answered, or is served no more.
local function await_no_answer(user)
    if ARG.answer_within ~= '0' or desk.departments > 0 then
        call('ZREM', UNANSWERED, user.uuid)
        if user.unanswered ~= '' then
            set(user, FIELD.unanswered, '')
        end
    end
end

-- *user* has just got a waiter.
local function begin_to_await_answer(user)
    local rule = rule_of(route_of(user).department)
    local within = rule and rule.answer_within
    within = within and within * 1000000 or tonumber(ARG.answer_within)
    if within == 0 then
        return
    elseif here(user) then
        await_answer(user, within)
    else
        set(user, FIELD.unanswered, text(within))
    end
end
