-- Stands before the scripts that count who waits in a department.

-- How many wait in *department*.
local function length_of(department)
    local length = 0
    for _, priority in ipairs(priorities()) do
        length = length + call('ZCARD', key_in(QUEUE, department, priority))
    end
    return length
end
