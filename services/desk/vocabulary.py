"""The words that Python and Lua share about the desk in Redis, each written once.

`scripts.py` puts them into the scripts when these are loaded: Lua says
`KEY.queue` or `FIELD.talk` where Python says `Key.QUEUE` or `Field.TALK`. A word
that is not declared here stops the import. `tests/desk/test_scripts.py` finds
every literal that stands in a script all the same.

The values are what is stored in Redis. Workers of the release before read and
write them too during an update: a name here may change, a value may not.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

from ..bounds import ANONYMOUS_GRACE, SEATS_KEPT, TICKET_LIFETIME
from .departments import MOST_MOVES, MOST_PRIORITY
from .port import POSITIONS_A_ROUND, POSITIONS_EVERY, READS_DEPARTMENTS

MOST_LETTERS = 10_000  # in a mailbox; Redis may hold a few more

#: s; longer than a killed server takes to start, and its clients to come back
FRESH_MATCH = 60.0


def prefix(desk: str) -> str:
    """What each key of *desk* begins with; the braces put all of them into one cluster slot."""
    return f"csapp:{{{desk}}}:"


class Key(StrEnum):
    """The keys of a desk, behind its `prefix`. One with a colon is followed by a name."""

    #: hash: the fields `Counter` and `Mark`
    DESK = "desk"
    #: hash: ROLE:SUBJECT → UUID
    STANDING = "standing"
    #: zset: workers by the end of their leases
    WORKERS = "workers"
    #: set: workers that are given up, and whose participants are still to be let go of
    DYING = "dying"
    #: zset: users who wait in the department `""` with priority 0, by ticket; others wait in zsets
    #: of this name with `:PRIORITY:DEPARTMENT`
    QUEUE = "line"
    #: zset: those of them who are here; the others as above
    TAKEABLE = "takeable"
    #: hash: department → how many of its users are here, but for those in `TAKEABLE` alone
    WANTED = "wanted"
    #: hash: department → its rules (`departments.Department`)
    RULES = "rules"
    #: zset: users who move to another department, by when
    MOVES = "moves"
    #: set: departments but for `""` in which positions have changed
    STALE = "stale"
    #: hash: department → how many of its positions are still to look at, and where to go on
    LAPS = "laps"
    #: string: seats by department (msgpack), as they were counted last
    SEATS_COUNTED = "seats_counted"
    #: zset: waiters who are here, all with the score 0
    HERE = "here"
    #: hash: user → the position that it was last sent
    TOLD = "told"
    #: zset: participants who are away, by the end of their grace period
    GRACE = "grace"
    #: zset: free waiters of the department `""` by load, then by how long they have had it; those
    #: of others are in zsets of this name with `:DEPARTMENT`
    FREE = "free"
    #: zset: waiters who are here and ready, by since when; on a site with departments those of each
    #: are also in a zset of this name with `:DEPARTMENT`
    DUTY = "duty"
    #: zset: SHA-1 of a subject, by the number up to which its tickets are void
    VOID = "void"
    #: zset: served users who are away and make room, the longest absent first
    SEATS = "seats"
    #: zset: the same of other users
    WAITS = "waits"
    #: zset: users who are here and wait for the first word of their waiters, by when they stop (µs)
    UNANSWERED = "unanswered"
    #: hash of a participant, by UUID: the fields `Field`
    PARTICIPANT = "p:"
    #: zset of a waiter, by UUID: the users that it serves, in the order of matching
    USERS = "users:"
    #: set of a worker: the participants that have connections there
    HELD_BY = "of:"
    #: stream of a worker: its mailbox; the fields of an entry are `Entry`
    MAILBOX = "box:"
    #: hash of a worker: how many it holds of what is bounded (`lua/bounds.lua`)
    HOLDS = "held:"
    #: string of what is bounded: µs since 1970 at which all that was spent is made up for
    RATE = "rate:"
    #: set of an address: its users who hold places
    PLACES = "places:"


def queue_of(department: str, priority: int) -> str:
    """The key of those who wait in *department* with *priority*, behind the desk's `prefix`."""
    if not department and not priority:
        return Key.QUEUE
    return f"{Key.QUEUE}:{priority}:{department}"


class Counter(StrEnum):
    """The numbers in `Key.DESK` that each script reads, as `desk.NAME`."""

    #: µs that the desk has lived
    TIME = "time"
    #: µs on Redis's clock when the desk last looked at it
    SEEN = "seen"
    #: the number of the last decision
    DECIDED = "decided"
    #: the last tickets at either end of the queue
    BACK = "back"
    FRONT = "front"
    #: the last turn that a free waiter was given
    TURN = "turn"
    #: matches so far
    MATCHES = "matches"
    #: the figures: waiters, those of them on duty, users who are served
    WAITERS = "waiters"
    READY = "ready"
    SERVED = "served"
    #: the last score in `Key.GRACE` of a whole grace period, of a brief one, and of one in
    #: which phones may sleep
    GRACED = "graced"
    BRIEFED = "briefed"
    SLEPT = "slept"
    #: users who have begun to make room
    YIELDED = "yielded"
    #: positions: 1 when some have changed; how many are still to look at; from which ticket on;
    #: when they were last sent
    STALE = "stale"
    LAP = "lap"
    GOING = "going"
    TOLD_AT = "told_at"
    #: when matching begins again after all was lost
    SETTLES = "settles"
    #: when this generation of the desk began
    BORN = "born"
    #: when seats were counted last
    SEATS_AT = "seats_at"
    #: workers whose leases have ended
    DEATHS = "deaths"
    #: the number of the last arrival
    CAME = "came"
    #: the number of the departments' rules and one; 0 until all workers could read departments
    RULES = "rules"
    #: how many departments have rules
    DEPARTMENTS = "departments"
    #: users who wait in another queue than `Key.QUEUE`
    APART = "apart"
    #: the priorities that visitors have had so far: bit 1 for priority 1, and so on
    RANKS = "ranks"
    #: users who wait because a waiter has handed them over, and are not to get that one back
    HANDED = "handed"
    #: 1 when positions in departments but for `""` are to be looked at
    UNSENT = "unsent"


class Mark(StrEnum):
    """The other fields of `Key.DESK`. One with a colon is followed by a worker."""

    #: the number of the last letter to a worker; only workers with a lease have it
    SENT = "sent:"
    #: what a worker can read (`port.READS`)
    READS = "reads:"
    #: the name of the last conversation
    NAMED = "named"
    #: Redis's run_id when this generation began, and the name of the generation
    RUN = "run"
    GENERATION = "generation"
    #: set once what the history remembers was taken up
    RESTORED = "restored"


class Field(StrEnum):
    """The fields of a participant, as `user.NAME` and `waiter.NAME`; empty text: it has none."""

    ROLE = "role"
    SUBJECT = "subject"
    NAME = "name"
    AVATAR = "avatar"
    #: the workers that hold its connections, with blanks between
    AT = "at"
    #: the last worker that held any
    HOME = "home"
    #: of a waiter: those of its workers at which its pages stand still, with blanks between
    FROZEN = "frozen"
    #: of a user: its conversation, its waiter, and when it joined the queue (µs of `Counter.TIME`)
    TALK = "talk"
    WAITER = "waiter"
    SINCE = "since"
    #: of a user: '1' when a waiter has served it in this conversation
    BEGUN = "begun"
    #: of a user: '1' when it has written something in this conversation
    SPOKEN = "spoken"
    #: of a served user who is away: ms that it is waited for because it may sleep
    SLEEP = "sleep"
    #: of a served user who is away: µs in which its waiter has to answer, from its return on
    UNANSWERED = "unanswered"
    #: of a user: what waiters are shown of its question, where it asks from, what it has filled in
    QUESTION = "question"
    PAGE = "page"
    FIELDS = "fields"
    #: of a user: the tag of its language
    LANGUAGE = "language"
    #: of a user: where it comes from, and the address that its place is counted at
    ADDRESS = "address"
    HELD = "held"
    #: of a user: where it waits or has waited, for which department it has asked, its priority,
    #: when it has moved there, and who has handed it over; of a waiter: the departments that it
    #: belongs to, each with its priority. A list in msgpack; empty: only `""`
    ROUTE = "route"
    #: of a user: the subject of the waiter who has served it last
    LAST = "last"
    #: of a served user: the number of the decision by which its waiter serves it, and when that was
    #: (µs of `Counter.TIME`), with a blank between; empty: the desk has lost it
    MATCHED = "matched"
    #: of a waiter: '1' when it takes users; how many at once; how many it serves
    READY = "ready"
    CAPACITY = "capacity"
    LOAD = "load"
    #: of a waiter: the load by which it stands in `Key.FREE`
    BUCKET = "bucket"


class Entry(StrEnum):
    """The fields of an entry in a mailbox."""

    #: the worker that has written the letter, or `DESK`
    SENDER = "f"
    NUMBER = "n"
    LETTER = "b"
    #: present in the first letter that a worker ever sends to this one
    FIRST = "s"


class Sender(StrEnum):
    """Who has sent a letter that is from no worker."""

    #: the desk: a list of events
    DESK = "#"
    #: nobody: the entry that a mailbox begins with
    NOBODY = ""


class Refusal(StrEnum):
    """The codes of the errors that scripts answer with."""

    #: the worker has no lease, so that it may change nothing
    NO_LEASE = "NOLEASE"
    #: there is no such participant
    NOBODY = "NOBODY"


class Answer(StrEnum):
    """What scripts answer in one word."""

    #: the queue, or the waiter, has reached its bound
    FULL = "full"
    #: the users of this address hold all the places that they may
    ADDRESS_FULL = "address"
    #: it is not known yet who serves whom
    SETTLING = "settling"
    #: a worker of an earlier release shares the desk
    EARLIER = "earlier"


class Reply(IntEnum):
    """Where the parts of each script's reply stand."""

    #: what this script answers: a number, a word, or named fields (msgpack)
    ANSWER = 1
    #: letters that the caller has not read yet: number, letter, number, letter …
    UNREAD = 2
    #: the number of the caller's last letter
    NUMBER = 3
    #: what the caller has itself decided: the letter of that number, or empty
    OWN = 4


#: numbers in the scripts
CONSTANTS = {
    "most_letters": MOST_LETTERS,
    #: participants that one round of anything looks after
    "batch": POSITIONS_A_ROUND // 2,
    #: µs that a ticket is good for
    "ticket_lifetime": round(TICKET_LIFETIME * 1e6),
    #: µs between two rounds of positions
    "positions_every": round(POSITIONS_EVERY * 1e6),
    #: ms that the desk waits for an absent anonymous user who has written nothing
    "anonymous_grace": round(ANONYMOUS_GRACE * 1000),
    #: the highest priority of visitors
    "most_priority": MOST_PRIORITY,
    #: moves of a user at once from department to department
    "most_moves": MOST_MOVES,
    #: what a worker says that reads departments (`port.READS`)
    "reads_departments": READS_DEPARTMENTS,
    #: of so many seats one is not given away
    "seats_kept": SEATS_KEPT,
    #: µs after a match in which those who may have to write it are told its number
    "fresh_match": round(FRESH_MATCH * 1e6),
}

#: the first arguments of each script
HEAD = (
    "worker",  # that calls
    "heard",  # the number of the last letter of the desk that it has read
    "read",  # where in its mailbox it has read so far
    "clock",  # µs on the clock of a test; empty: Redis's own clock counts
    "grace",  # ms of the grace period
    "usual_capacity",  # users that a waiter serves at once if it names no number
    "max_queue",  # the bound of the queue
    "answer_within",  # µs in which waiters have to write something; 0: they need not
)

#: the other arguments of each script; the script says what they mean
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "answered": ("user",),
    "arrive": ("role", "subject", "uuid", "name", "address", "avatar", "departments"),
    "assign": ("waiter", "departments"),
    "bounds": ("asked",),
    "colleagues": ("most",),
    "configure": ("number", "rules"),
    "connect": ("user", "ticket", "conversation", "places", "question", "page", "fields", "route"),
    "drop": ("participant", "absence", "sleep"),
    "explain": ("user", "most"),
    "figures": (),
    "join": ("lease", "generation", "present", "new_generation", "reads"),
    "leave": ("participant",),
    "part": ("user", "waiter", "gone", "reason"),
    "freeze": ("waiter", "frozen"),
    "quit": (),
    "ready": ("waiter", "capacity"),
    "recall": ("memory", "lost"),
    "restore": ("memory",),
    "take": ("user", "waiter"),
    "team": ("most", "department"),
    "tick": ("lease",),
    "transfer": ("user", "waiter", "to_waiter", "department"),
    "unready": ("waiter", "capacity"),
    "waiting": ("most", "departments"),
    "withdraw": ("user",),
}
