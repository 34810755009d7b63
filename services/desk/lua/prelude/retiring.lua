-- Stands before the scripts by which a worker goes.

-- *worker* is given up: its letters go nowhere, its participants are let go of by `tick`.
local function retire(worker)
    call('ZREM', WORKERS, worker)
    call('HDEL', DESK, MARK.sent .. worker, MARK.reads .. worker)
    call('DEL', mailbox_of(worker), PREFIX .. KEY.holds .. worker)
    call('SADD', DYING, worker)
    leases[worker] = false
end
