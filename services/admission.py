"""The token that a connection has shown, and how long the connection may stay with it.

Rules of this file:

1. A connection that shows no good token in time is closed (4408), after the
   third bad one as well (4401, 4403).
2. A token ends at a date; a connection counts seconds. So `_take` asks the wall
   clock once, when the token is shown, how many seconds are left. The connection
   may stay as long as the longest-lived token that it has shown.
3. The security log has a line for each refused token, with the reason, without the token.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .desk.port import Role
from .house import House
from .identity import Identity, Shown, TokenError, TokenRole
from .security_log import Event, security
from .transport.connection import Connection
from .wire import frames
from .wire.codes import CloseCode, ErrorCode, Farewell, Refusal

AUTH_AGAIN = 0.5  # s between two checks whether the look-up of a token is done
FAILED_AUTHS = 3  # docs/protocol.md, *Version 1*

#: s between two checks whether a token has run out. Near its end they come closer together,
#: because the timer wheel is late while the event loop is busy.
LOOK = 60.0
NEAR = 5.0


class Admission:
    """The admission of *connection*, which came to the address of *role*."""

    __slots__ = (
        "_connection",
        "_ends",
        "_failed",
        "_house",
        "_is_let_in",
        "_is_looking",
        "_tab",
        "_timer",
        "identity",
        "role",
        "signed",
    )

    def __init__(self, connection: Connection, role: Role, house: House) -> None:
        self._connection = connection
        #: the role whose address it came to
        self.role = role
        self._house = house
        #: the identity in the newest token that the connection has shown
        self.identity: Identity | None = None
        #: when that token was signed, in ms since 1970
        self.signed = 0
        #: when it runs out, on the runtime's monotonic clock; the wall clock may jump
        self._ends = 0.0
        #: key of the participant for which `Bounds` counts this connection; `""` before
        self._tab = ""
        self._failed = 0  # tokens that were refused
        self._is_looking = False  # a token is being looked up
        self._is_let_in = False
        self._timer = house.wheel.after(house.settings.auth_timeout, self._too_late)

    # ---- coming in -----------------------------------------------------

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """Within this context `_too_late` waits: the token came in time, its look-up is slow."""
        self._is_looking = True
        try:
            yield
        finally:
            self._is_looking = False

    def admit(self, frame: frames.Auth) -> Identity:
        """The identity in the token of *frame*.

        Raises `TokenError` (`farewell` says whether that was the last try),
        `Unavailable` while tokens cannot be looked up, and `Farewell`: it is
        signed out, or its participant has too many connections.
        """
        try:
            shown = self._inspect(frame)
        except TokenError as error:
            self._failed += 1
            self._log_refusal(Event.TOKEN_REFUSED, error.code)
            raise
        self._count_in(shown.identity)
        self._take(shown)
        return shown.identity

    def farewell(self, error: TokenError) -> Farewell | None:
        """How the connection ends after *error*; None: it may try again."""
        if self._failed < FAILED_AUTHS:
            return None
        wrong_role = error.code is ErrorCode.FORBIDDEN
        code = CloseCode.WRONG_ROLE if wrong_role else CloseCode.UNAUTHENTICATED
        return Farewell(code, "no valid token")

    def let_in(self) -> None:
        """Its participant is known: stop the time limit for `auth`."""
        self._is_let_in = True
        self._timer.cancel()

    def close(self) -> None:
        """The connection has ended: stop all timers."""
        self._timer.cancel()

    def count_out(self) -> None:
        """`Bounds` counts the connection for its participant no more."""
        if self._tab:
            self._house.bounds.close_tab(self._tab)

    def _too_late(self) -> None:
        if self._is_let_in:
            return
        if self._is_looking:  # the store is slow, not the client
            self._timer = self._house.wheel.after(AUTH_AGAIN, self._too_late)
        else:
            self._connection.close(CloseCode.TIMEOUT, "no auth in time")

    def _count_in(self, identity: Identity) -> None:
        """Count the connection for its participant. Raises `Farewell` beyond the bound."""
        whose = f"{self.role}:{identity.subject}"
        if not self._house.bounds.open_tab(whose):
            raise Farewell(CloseCode.FULL, "too many connections of one participant")
        self._tab = whose

    # ---- staying -------------------------------------------------------

    def renew(self, frame: frames.Auth, subject: str) -> Identity | None:
        """Let the connection of *subject* live as long as the token of *frame*.

        Returns the identity in the token, or None if a token that was shown before
        is newer. Raises `Refusal` for a bad token and for one of another subject or
        role, `Unavailable` while it cannot be looked up, `Farewell` for one that
        is signed out.
        """
        try:
            shown = self._inspect(frame)
        except TokenError as error:
            self._log_refusal(Event.RENEWAL_REFUSED, error.code)
            raise Refusal(error.code, error.message, frame.reply_id) from None
        if shown.identity.subject != subject:
            self._log_refusal(Event.RENEWAL_REFUSED, "another subject")
            raise Refusal(
                ErrorCode.FORBIDDEN, "this connection belongs to somebody else", frame.reply_id
            )
        self._take(shown)
        return shown.identity if self.identity is shown.identity else None

    @property
    def left(self) -> float:
        """s until the token runs out and the connection ends."""
        return max(0.0, self._ends - self._house.runtime.now())

    def await_end(self) -> None:
        """Close the connection (4401) once its token has run out."""
        if self._connection.code is not None:  # it has ended meanwhile, in another thread
            return
        left = self._ends - self._house.runtime.now()
        if left <= 0:
            self._connection.close(CloseCode.UNAUTHENTICATED, "the token has run out")
            return
        pause = left if left <= NEAR else min(left / 2, LOOK)
        self._timer = self._house.wheel.after(pause, self.await_end)

    # ---- tokens --------------------------------------------------------

    def _inspect(self, frame: frames.Auth) -> Shown:
        """What the token of *frame* says.

        Raises `TokenError`, or `Unavailable` while that cannot be looked up.
        """
        shown = self._house.tokens.inspect(frame.payload.token, TokenRole(self.role))
        if self._house.revocations.is_revoked(shown.identity, shown.signed):
            what = "payload.token: this login was signed out"
            raise TokenError(ErrorCode.INVALID_TOKEN, what)
        return shown

    def _take(self, shown: Shown) -> None:
        """Let the connection stay until *shown* runs out, or until an earlier token does.

        Raises `Farewell` if the login was revoked a moment ago.
        """
        ends = self._house.runtime.now() + self._house.tokens.left(shown.expires)
        self._ends = max(self._ends, ends)
        if shown.signed >= self.signed:
            self.identity, self.signed = shown.identity, shown.signed
        if self._house.revocations.is_known(shown.identity, shown.signed):
            raise Farewell(CloseCode.UNAUTHENTICATED, "signed out")

    def _log_refusal(self, event: Event, why: str) -> None:
        who = self.identity.subject if self.identity is not None else ""
        security.record(
            event, subject=who, role=self.role, address=self._connection.address, reason=why
        )
