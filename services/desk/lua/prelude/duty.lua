-- Stands before the scripts by which a waiter takes users, or none.

-- *waiter* takes users from now on, or none any more; up to *most* at once, unless that is ''.
local function set_ready(waiter, is_ready, most)
    local duty = on_duty(waiter)
    set(waiter, FIELD.ready, is_ready and '1' or '')
    if most ~= '' then
        set(waiter, FIELD.capacity, most)
    end
    count_duty(waiter, duty)
    refresh(waiter)
end

-- Post to the other workers that speak for *one* what the caller has changed.
local function post_to_siblings(event, one)
    local workers = {}
    for _, worker in ipairs(recipients(one)) do
        if worker ~= me then
            workers[#workers + 1] = worker
        end
    end
    if #workers > 0 then
        write(event, { one }, workers)
    end
end

-- Post to the other workers of *waiter* whether it takes users, and how many at once.
local function send_duty(waiter)
    post_to_siblings({ event = EVENT.on_duty, waiter = waiter.uuid, ready = waiter.ready == '1',
        capacity = tonumber(waiter.capacity) or 0 }, waiter)
end
