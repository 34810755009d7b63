-- Letters as workers of the release before read them: see `former_letters.py`.

local READS_NAMES = 2 -- what a worker says that reads events as named fields (`port.READS`)

local reads_names = { [me] = true }
local function wants_former(worker)
    if reads_names[worker] == nil then
        local reads = tonumber(call('HGET', DESK, MARK.reads .. worker) or '1')
        reads_names[worker] = reads >= READS_NAMES
    end
    return not reads_names[worker]
end

-- A letter of *events*, each an array: its kind, its number, whether the worker is the recorder,
-- its fields in a fixed order, and whom it is about.
local function former_letter(events)
    local FORMER = LIST.former
    local letter = {}
    for _, event in ipairs(events) do
        local shape = FORMER[event.event]
        local former = { shape[1], event.number, event.is_recorder ~= false }
        for i = 2, #shape do
            local name, value = shape[i], event[shape[i]]
            if name == 'waited' then
                value = text(value * 1000000)
            elseif name == 'ticket' then
                value = text(value)
            elseif value == nil then
                value = ''
            end
            former[#former + 1] = value
        end
        local people = {}
        for i, one in ipairs(event.people or {}) do
            people[i] = { one.uuid, one.role, one.subject, one.name,
                table.concat(one.workers or {}, ' '), one.avatar or '' }
        end
        former[#former + 1] = people
        letter[#letter + 1] = former
    end
    return cjson.encode(letter)
end
