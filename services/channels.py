"""A channel of a conversation, and its entries as they travel: encoded once for each version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .conversation.conversation import Conversation
from .conversation.entries import Entries
from .conversation.kinds import Side
from .transport.frames import HEADS
from .transport.frames import frame as framed
from .wire import codec, frames
from .wire.dates import rfc3339

if TYPE_CHECKING:
    from .participants import Feed, Participant

#: bytes of memory that an entry takes while it waits, beside its text; about
WEIGHT = 400

#: client ids of entries that were written at once; None in version 1
Ids = Sequence[str | None] | None


class Channel:
    """One direction of a conversation: its sender, its receiver, and the encoders between them."""

    __slots__ = (
        "_echo", "_full", "conversation", "is_over", "is_unanswered", "sender", "texts", "to",
    )  # fmt: skip

    def __init__(self, sender: Participant, to: Participant, conversation: Conversation) -> None:
        self.sender = sender
        self.to = to
        self.conversation = conversation
        #: the sender is a waiter who has written nothing on it yet
        self.is_unanswered = False
        #: … who serves the receiver no more: what is still on its way goes to the next waiter, too
        self.is_over = False
        #: from texts to their framed bytes in version 1, in one piece
        self.texts = codec.Voice(sender.uuid, to.uuid, HEADS).texts
        self._full: codec.FullVoice | None = None
        self._echo: codec.FullVoice | None = None

    def turn_to(self, to: Participant) -> None:
        """*to* is the receiver from now on, also of entries that are on their way."""
        self.to = to
        self.texts = codec.Voice(self.sender.uuid, to.uuid, HEADS).texts
        self._full = self._echo = None

    def link(self, file: str) -> str:
        """The address of *file* for the receiver; where it was never here, for the sender."""
        link = self.to.link or self.sender.link
        return "" if link is None else link(file)

    @property
    def full(self) -> codec.FullVoice:
        """The encoder of version 2, for the other side."""
        if self._full is None:
            self._full = codec.FullVoice(
                self.sender.uuid, self.to.uuid, self.conversation.id, HEADS
            )
        return self._full

    @property
    def echo(self) -> codec.FullVoice:
        """The encoder of version 2, for the sender's own other connections."""
        if self._echo is None:
            self._echo = codec.FullVoice(
                self.sender.uuid, self.sender.uuid, self.conversation.id, HEADS
            )
        return self._echo


class ChannelEntries(Entries):
    """Entries on *channel*, written on *connection*; encoded once for each version."""

    __slots__ = ("_echo", "_full", "_plain", "channel", "connection")

    channel: Channel
    #: None where they were written on another worker, or by the server
    connection: Feed | None
    _plain: bytes | None
    _full: bytes | None
    _echo: bytes | None

    @property
    def weight(self) -> int:
        """Bytes of memory that they take, about."""
        return WEIGHT + sum(map(len, self.texts))

    @property
    def first(self) -> int:
        """The `seq` of the first entry; of mere repeats, the one after the last that is repeated.

        What comes before it must be delivered first.
        """
        if self.seqs:
            return self.seqs[0]
        return 1 + max((first.seq for _, first in self.repeats if first is not None), default=0)

    def beyond(self, seq: int) -> ChannelEntries:
        """The entries behind *seq*, by themselves."""
        known = seq - self.seqs[0] + 1
        ids = None if self.client_ids is None else self.client_ids[known:]
        texts = self.texts[known:]
        rest = ChannelEntries(
            self.conversation,
            self.side,
            self.author,
            texts,
            ids,
            self.on_committed,
            self.kind,
            self.data,
        )
        rest.seqs, rest.date, rest.stored = self.seqs[known:], self.date, True
        rest.channel, rest.connection = self.channel, self.connection
        rest._plain = rest._full = rest._echo = None
        return rest

    def encode_entry(self, text: str, seq: int, *, own: bool = False) -> bytes:
        """One of its entries in version 2, to the other side or to one's *own* connections."""
        if self.data is not None:
            return self.for_version_2(own=own)
        voice = self.channel.echo if own else self.channel.full
        return voice.texts([text], [seq], rfc3339(self.date))

    def parked_singly(self, *, in_full: bool) -> Iterator[ParkedFrames]:
        """Each entry by itself, for the other side; for version 2 only if *in_full*."""
        key = self.conversation.row.key
        for text, seq in zip(self.texts, self.seqs, strict=True):
            full = self.encode_entry(text, seq) if in_full else b""
            yield ParkedFrames(self._encode_for_version_1([text]), full, key, seq, seq)

    def for_version_1(self) -> bytes:
        """Framed for version 1, for the other side; empty where that version has no word for it."""
        if self._plain is None:
            texts = self.texts
            self._plain = (
                self.channel.texts(texts)
                if self.data is None
                else self._encode_for_version_1(texts)
            )
        return self._plain

    def _encode_for_version_1(self, texts: list[str]) -> bytes:
        if self.data is None:
            return self.channel.texts(texts)
        if self.side == Side.SERVER:
            return b""  # version 1 would show it as the waiter's
        text = self.kind.text_for_version_1(texts[0], self.data, self.channel.link)
        return b"" if text is None else self.channel.texts([text])

    def for_version_2(self, *, own: bool = False, beyond: int = 0) -> bytes:
        """Framed for version 2, for the other side or one's *own* connections; behind *beyond*."""
        if self.data is not None:
            return self._encode_with_data(own=own)
        voice = self.channel.echo if own else self.channel.full
        if beyond >= self.seqs[0]:
            numbered = zip(self.texts, self.seqs, strict=True)
            texts, seqs = zip(*(one for one in numbered if one[1] > beyond), strict=True)
            return voice.texts(list(texts), seqs, rfc3339(self.date))
        if own:
            if self._echo is None:
                self._echo = voice.texts(self.texts, self.seqs, rfc3339(self.date))
            return self._echo
        if self._full is None:
            self._full = voice.texts(self.texts, self.seqs, rfc3339(self.date))
        return self._full

    def _encode_with_data(self, *, own: bool) -> bytes:
        """An entry with more than words."""
        channel, kind, (text,), (seq,) = self.channel, self.kind, self.texts, self.seqs
        encoded = self._echo if own else self._full
        if encoded is None:
            payload = kind.payload_of(text, self.data)
            frame = kind.pushed(
                id=codec.new_id(), to=(channel.sender if own else channel.to).uuid,
                from_="" if self.side == Side.SERVER else channel.sender.uuid,
                conversation=self.conversation.id, seq=seq, date=rfc3339(self.date),
                payload=payload,
            )  # fmt: skip
            encoded = sealed(frame)
            if kind.announcement is not None and not own:
                encoded += sealed(
                    kind.announcement(
                        id=codec.new_id(), to=channel.to.uuid, from_=channel.sender.uuid,
                        conversation=self.conversation.id, payload=payload,
                    )
                )  # fmt: skip
            if own:
                self._echo = encoded
            else:
                self._full = encoded
        return encoded


class ParkedFrames(NamedTuple):
    """What is parked for an absent participant, for each version; of entries also `seq`."""

    plain: bytes
    full: bytes
    conversation: int = 0
    first: int = 0
    last: int = 0


def sealed(frame: frames.ServerFrame) -> bytes:
    """*frame* as it goes over the connection."""
    return framed(codec.encode(frame))
