"""What all sessions of a process share."""

from __future__ import annotations

from dataclasses import dataclass, field

from .bounds import Bounds
from .choice_turns import ChoiceTurns
from .departments import Departments
from .file_links import FileLinks
from .files.uploads import Files
from .identity import Tokens
from .last_waiters import LastWaiters
from .left_messages import LeftMessages
from .liveness import Liveness
from .metrics import Meters
from .revocation import Revocations
from .runtime import Runtime
from .settings import Settings
from .staff_track import StaffTurns
from .switchboard import Switchboard
from .timers import Wheel


@dataclass(frozen=True, slots=True)
class House:
    """The parts of one process. `ChatServer.house` makes them at their first use."""

    settings: Settings
    runtime: Runtime
    wheel: Wheel
    tokens: Tokens
    switchboard: Switchboard
    meters: Meters
    revocations: Revocations
    liveness: Liveness
    bounds: Bounds = field(default_factory=Bounds)
    departments: Departments = field(default_factory=Departments)
    last_waiters: LastWaiters = field(default_factory=LastWaiters)
    staff_turns: StaffTurns = field(default_factory=StaffTurns)
    choice_turns: ChoiceTurns = field(default_factory=ChoiceTurns)
    left_messages: LeftMessages = field(default_factory=LeftMessages)
    links: FileLinks = field(default_factory=FileLinks)
    #: None: no files are sent
    files: Files | None = None
