"""Who serves whom at a desk in memory. The desk's lock is held around every method."""

from __future__ import annotations

from .memory_departments import MemoryDepartment
from .memory_state import MemoryState
from .port import (
    Matched,
    OnDuty,
    Parted,
    Queued,
    Reason,
    Role,
)
from .ranked import Entry
from .user_queue import User
from .waiter_pool import Waiter


class MemoryMatching(MemoryState):
    """Brings users and waiters together and parts them, and leaves what it decides as events."""

    # ---- bringing together ---------------------------------------------

    def _match(self) -> None:
        """Bring free waiters and waiting users together, as long as a department has both."""
        if self._absent.gives_seats(self._served):
            self._departments.touch_wanted()
        while (waiter := self._departments.next_match(self._find_waiter)) is not None:
            user = self._users[self._departments.choose(waiter, self._first_for)]
            self._departments.forget(user)
            self._seat(user, waiter)

    def _find_waiter(self, department: MemoryDepartment) -> Waiter | None:
        """Whose turn it is in *department*, where a user waits; a seat may be given away for it."""
        found = self._free_waiter(department)
        if found is None and self._make_room_with_a_waiter(department):
            found = self._free_waiter(department)
        return found

    def _free_waiter(self, department: MemoryDepartment) -> Waiter | None:
        """Who takes the first user of *department* for whom anybody is free there."""
        if not len(department.pool):
            return None
        users = (self._users[uuid] for _, uuid in department.queue.here())
        found = (self._free_waiter_for(user, department) for user in users)
        return next((waiter for waiter in found if waiter is not None), None)

    def _free_waiter_for(self, user: User, department: MemoryDepartment) -> Waiter | None:
        """Whose turn it is to take *user*: who has served it last, if it is free."""
        last = self._standing.get((Role.WAITER, user.last_waiter), "")
        if last in department.pool and user.obstacle_to(last) is None:
            return self._waiters[last]
        return department.pool.next(user.obstacle_to)

    def _first_for(self, department: MemoryDepartment, waiter: Waiter) -> Entry | None:
        """The foremost of *department* whom *waiter* may take."""
        first = department.queue.next()
        if first is None or self._users[first[1]].obstacle_to(waiter.uuid) is None:
            return first
        here = department.queue.here()
        return next(
            (one for one in here if self._users[one[1]].obstacle_to(waiter.uuid) is None), None
        )

    def _seat(self, user: User, waiter: Waiter) -> None:
        """Let *waiter* serve *user*, who has just left the queue."""
        user.waiter, user.question, user.last_waiter = waiter.uuid, "", waiter.subject
        waiter.users[user.uuid] = None
        self._served += 1
        self._spend(user)
        self._await_answer(user)
        self._departments.refresh(waiter)
        self._events.append(
            Matched(
                user.uuid, waiter.uuid, self._now() - user.since, user.conversation,
                user.department, user.page, user.fields, user.language,
            )
        )  # fmt: skip

    def _await_answer(self, user: User) -> None:
        """The waiter of *user* has to write something in time, if its department asks for that."""
        within = self._departments.get(user.department).rules.answer_within
        self._unanswered.begin(user.uuid, self._now(), within, is_here=user.present)

    def _spend(self, user: User) -> None:
        """*user* is served, or has left the queue: all tickets that it has are void."""
        self._void.add(user.subject, self._departments.tickets.highest(self._micros()))

    def _refresh(self, waiter: Waiter) -> None:
        """*waiter* is ready or here, or no more, or serves another number of users at once."""
        is_on_duty = waiter.on_duty
        if is_on_duty != (waiter.on_duty_since is not None):
            waiter.on_duty_since = self._now() if is_on_duty else None
        self._departments.refresh(waiter)

    def _make_room_with_a_waiter(self, department: MemoryDepartment) -> bool:
        """Free a waiter of *department*, because another user needs the seat of an absent one.

        On its return that user is sent that its waiter is gone, and stands in front.
        """
        for uuid in self._absent.seats_to_give(self._served):
            user = self._users[uuid]
            waiter = self._waiters[user.waiter or ""]
            if not waiter.on_duty or len(waiter.users) > waiter.capacity:
                continue
            if department.key not in dict(waiter.departments):
                continue
            if self._first_for(department, waiter) is None:
                continue
            del waiter.users[uuid]
            self._departments.refresh(waiter)
            self._lose_waiter([user], waiter)
            self._send_positions([user])
            return True
        return False

    # ---- handing over --------------------------------------------------

    def _hand_to_waiter(self, user: User, giver: Waiter, to: Waiter) -> None:
        """*giver* hands *user* to another waiter, who has a free seat."""
        self._hand_over(user, giver)
        self._seat(user, to)
        self._match()

    def _hand_to_department(self, user: User, giver: Waiter, department: str) -> None:
        """*giver* hands *user* to *department*, where it stands in front."""
        self._hand_over(user, giver)
        self._absent.unseat(user.uuid, self._now())
        user.giver = giver.uuid
        user.department = self._departments.entrance(department).key
        self._stand_in_front(user)
        self._match()
        self._send_positions([user])

    def _hand_over(self, user: User, giver: Waiter) -> None:
        user.waiter, user.since = None, self._now()
        self._unanswered.end(user.uuid)
        del giver.users[user.uuid]
        self._served -= 1
        self._departments.refresh(giver)
        self._events.append(
            Parted(
                user.uuid, giver.uuid, giver.uuid, Reason.TRANSFERRED, True, user.conversation
            )
        )  # fmt: skip

    # ---- parting -------------------------------------------------------

    def _part(self, user: User, waiter: Waiter, gone: str, reason: Reason | None = None) -> None:
        user.waiter = None
        self._unanswered.end(user.uuid)
        user.spoken = False
        del waiter.users[user.uuid]
        self._served -= 1
        self._absent.unseat(user.uuid, self._now())
        self._places.give_back(user.uuid)
        self._departments.refresh(waiter)
        conversation = self._end_conversation(user, goes_on=False)
        self._events.append(Parted(user.uuid, waiter.uuid, gone, reason, conversation=conversation))

    def _end_conversation(self, user: User, *, goes_on: bool) -> int:
        """Which conversation *user* parts from; it *goes_on* while the user waits again."""
        conversation = user.conversation
        if not goes_on:
            user.conversation = 0
        return conversation

    def _lose_waiter(self, users: list[User], waiter: Waiter) -> None:
        """Put *users*, whom *waiter* no longer serves, in front of the queue."""
        for user in users:
            self._unseat(user, waiter, requeue=True)
        self._stand_all_in_front(users)

    def _stand_all_in_front(self, users: list[User]) -> None:
        """*users* wait in front again, the first of them foremost."""
        for user in reversed(users):
            user.since = self._now()
            self._stand_in_front(user)

    def _move_unanswered(self, now: float) -> None:
        """Users whose waiters have written nothing in time wait for others."""
        users = [self._users[uuid] for uuid in self._unanswered.late(now)]
        for user in users:
            waiter = self._waiters[user.waiter or ""]
            del waiter.users[user.uuid]
            self._unseat(user, waiter, requeue=True, reason=Reason.UNANSWERED)
            if waiter.ready:
                waiter.ready = False
                self._events.append(OnDuty(waiter.uuid, False, waiter.capacity, by_desk=True))
            self._refresh(waiter)
        if users:
            self._stand_all_in_front(users)
            self._match()
            self._send_positions(users)

    def _stand_in_front(self, user: User) -> None:
        """*user* waits in front of its department, before those who came there before it."""
        department = self._departments.get(user.department)
        department.queue.join_front([user.uuid], self._micros(), user.priority)
        self._enter(user, department)
        user.last_sent = -1

    def _enter(self, user: User, department: MemoryDepartment) -> None:
        """*user* has just joined the queue of *department*."""
        user.department, user.entered = department.key, self._now()
        department.positions.have_changed = True
        self._departments.watch(user)
        if user.present:
            self._departments.touch(user)
        else:
            department.queue.away(user.uuid)

    def _unseat(
        self, user: User, waiter: Waiter, *, requeue: bool, reason: Reason = Reason.LOST
    ) -> None:
        user.waiter = None
        self._unanswered.end(user.uuid)
        user.spoken &= requeue
        self._served -= 1
        self._absent.unseat(user.uuid, self._now())
        reason = reason if requeue else Reason.ENDED
        conversation = self._end_conversation(user, goes_on=requeue)
        self._events.append(
            Parted(user.uuid, waiter.uuid, waiter.uuid, reason, requeue, conversation)
        )

    def _send_positions(self, users: list[User]) -> None:
        """Tell *users*, who stand in the queue, their positions, unless they are served already."""
        for user in users:
            if user.waiter is None:
                queue = self._departments.get(user.department).queue
                self._send_position(user, queue.position_of(queue.order(user.uuid)))

    def _send_position(self, user: User, position: int) -> None:
        user.last_sent = position
        ticket = self._departments.get(user.department).queue.ticket(user.uuid)
        self._events.append(Queued(user.uuid, position, ticket, user.department))

    # ---- from department to department ---------------------------------

    def _in_order(self, department: MemoryDepartment) -> list[User]:
        return [self._users[uuid] for uuid in department.queue.everybody()]

    def _move(self, user: User, left: MemoryDepartment, to: MemoryDepartment) -> None:
        """*user*, who waits in *left*, waits in *to*, with its ticket."""
        ticket = left.queue.ticket(user.uuid)
        left.leave(user.uuid)
        to.queue.rejoin(user.uuid, ticket, user.priority)
        user.last_sent = -1
        self._enter(user, to)

    def _move_late(self, now: float) -> None:
        """Users who have waited too long move to the department that theirs names."""
        moved = [self._users[uuid] for uuid in self._departments.late(now)]
        for user in moved:
            left = self._departments.get(user.department)
            to = self._departments.overflow_of(left)
            if to is not None:
                self._move(user, left, self._departments.entrance(to.key))
        if moved:
            self._match()
            self._send_positions(moved)
