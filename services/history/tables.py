"""The tables, once for both databases.

`message` is written in the order of arrival and found by `(chat, seq)`: on a
busy server the rows of a thousand conversations then share a few pages, and a commit
writes those instead of a page for each conversation.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    false,
    text,
    true,
)

metadata = MetaData()

#: scripts written without spaces: Thai, Lao, Burmese, Khmer, Japanese, Chinese, Korean
UNSPACED = (
    "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
#: characters of a message that can be found: PostgreSQL refuses to index a very long one
MAX_INDEXED = 65_536
#: what PostgreSQL indexes of a message; `search` says why
WORDS = (
    f"to_tsvector('simple', regexp_replace(left(body, {MAX_INDEXED}), "
    f"'([{UNSPACED}])', ' \\1 ', 'g'))"
)

#: SQLite counts rows by itself only in a column that is called INTEGER
Number = BigInteger().with_variant(Integer, "sqlite")

#: what there is to say of the store as a whole: `owner.py`
meta = Table(
    "csapp_meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

#: of a column that nothing reads or writes; workers of an earlier version still name it
UNUSED = {"unused": True}

chat = Table(
    "chat",
    metadata,
    Column("key", Number, primary_key=True, autoincrement=False),
    Column("user", Text, nullable=False),
    Column("user_subject", Text, nullable=False),
    Column("user_name", Text, nullable=False, server_default=""),
    Column("waiter", Text),
    Column("waiter_subject", Text),
    Column("waiter_name", Text, nullable=False, server_default=""),
    Column("opened", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Column("department", Text, nullable=False, server_default=""),
    Column("page", Text, nullable=False, server_default=""),
    Column("user_read", Integer, nullable=False, server_default="0"),
    Column("waiter_read", Integer, nullable=False, server_default="0"),
    Column("rating", SmallInteger, info=UNUSED),
    Column("comment", Text, nullable=False, server_default="", info=UNUSED),
    Column("reason", Text, nullable=False, server_default=""),
    Column("user_avatar", Text, nullable=False, server_default=""),
    Column("waiter_avatar", Text, nullable=False, server_default=""),
    Column("waited", BigInteger, nullable=False, server_default="0"),
    Column("fields", Text, nullable=False, server_default=""),
)
Index("chat_user", chat.c.user_subject, chat.c.key)
Index(
    "chat_open",
    chat.c.key,
    sqlite_where=text("ended IS NULL"),
    postgresql_where=text("ended IS NULL"),
)

#: who has served in which conversation, by the waiter's subject: there may be several
service = Table(
    "service",
    metadata,
    Column("waiter", Text, primary_key=True),
    Column("chat", BigInteger, primary_key=True),
)
Index("service_chat", service.c.chat)

message = Table(
    "message",
    metadata,
    Column("n", Number, primary_key=True, autoincrement=True),
    Column("chat", BigInteger, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("side", SmallInteger, nullable=False),
    Column("author", Text, nullable=False),
    Column("client_id", Text),
    Column("kind", SmallInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("date", BigInteger, nullable=False),
    Column("data", Text),
    sqlite_autoincrement=True,  # a number is never given again: search goes on behind the last
)
Index("message_seq", message.c.chat, message.c.seq, unique=True)
Index(
    "message_client_id",
    message.c.chat,
    message.c.side,
    message.c.author,
    message.c.client_id,
    unique=True,
    sqlite_where=text("client_id IS NOT NULL"),
    postgresql_where=text("client_id IS NOT NULL"),
)

#: of a conversation's ratings the last one counts
_is_rating = text("kind = 3")
Index(
    "message_rating",
    message.c.chat,
    message.c.seq,
    sqlite_where=_is_rating,
    postgresql_where=_is_rating,
)

duty = Table(
    "duty",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("uuid", Text, nullable=False),
    Column("ready", Boolean, nullable=False),
    Column("capacity", Integer, nullable=False),
)

note = Table(
    "note",
    metadata,
    Column("n", Number, primary_key=True, autoincrement=True),
    Column("chat", BigInteger, nullable=False),
    Column("author", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("date", BigInteger, nullable=False),
    #: `StaffRow.n`
    Column("ordinal", Integer, nullable=False, server_default="0"),
    Column("after", Integer, nullable=False, server_default="0"),
    Column("kind", SmallInteger, nullable=False, server_default="4"),
    Column("client_id", Text),
    Column("data", Text),
)
Index("note_ordinal", note.c.chat, note.c.ordinal, unique=True)
Index(
    "note_client_id",
    note.c.chat,
    note.c.author,
    note.c.client_id,
    unique=True,
    sqlite_where=text("client_id IS NOT NULL"),
    postgresql_where=text("client_id IS NOT NULL"),
)

account = Table(
    "account",
    metadata,
    Column("name", Text, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    Column("created", BigInteger, nullable=False),
    Column("avatar", Text, nullable=False, server_default=""),
)

#: passwords that were tried: `attempts`
attempt = Table(
    "attempt",
    metadata,
    Column("key", Text, primary_key=True),
    Column("until", BigInteger, nullable=False),
)
Index("attempt_until", attempt.c.until)

#: from where an account is used: marks of addresses, which say none
familiar = Table(
    "familiar",
    metadata,
    Column("name", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("seen", BigInteger, nullable=False),
)

revoked = Table(
    "revoked",
    metadata,
    Column("n", Number, primary_key=True, autoincrement=True),
    Column("sid", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    sqlite_autoincrement=True,  # workers read on behind the last
)
for _column in (revoked.c.sid, revoked.c.subject):
    _some = text(f"{_column.name} <> ''")
    Index(f"revoked_{_column.name}", _column, sqlite_where=_some, postgresql_where=_some)
Index("revoked_at", revoked.c.at)

canned = Table(
    "canned",
    metadata,
    Column("n", Number, primary_key=True, autoincrement=True),
    Column("owner", Text, nullable=False),
    Column("shortcut", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("author", Text, nullable=False, server_default=""),
    Column("author_name", Text, nullable=False, server_default=""),
    Column("changed", BigInteger, nullable=False, server_default="0"),
    #: the texts of its choices, in JSON
    Column("choices", Text, nullable=False, server_default="[]"),
    #: of a shared one: the department whose waiters share it; empty: all waiters
    Column("department", Text, nullable=False, server_default=""),
    #: how often, and when last (ms; 0: never)
    Column("used", BigInteger, nullable=False, server_default="0"),
    Column("used_at", BigInteger, nullable=False, server_default="0"),
    sqlite_autoincrement=True,  # a number is never given again: its past goes by it
)
Index("canned_owner", canned.c.owner, canned.c.department, canned.c.shortcut, unique=True)

#: what shared replies were before: `canned_past`
canned_past = Table(
    "canned_past",
    metadata,
    Column("n", Number, primary_key=True, autoincrement=True),
    Column("reply", BigInteger, nullable=False),
    Column("shortcut", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("author_name", Text, nullable=False),
    Column("date", BigInteger, nullable=False),
    Column("ended_by", Text, nullable=False),
    Column("ended_by_name", Text, nullable=False),
    Column("ended", BigInteger, nullable=False),
    Column("choices", Text, nullable=False, server_default="[]"),
    Column("department", Text, nullable=False, server_default=""),
)
Index("canned_past_reply", canned_past.c.reply, canned_past.c.n)

#: `departments`, which also counts the changes of both tables
department = Table(
    "department",
    metadata,
    Column("key", Text, primary_key=True),
    #: by language, in JSON
    Column("names", Text, nullable=False, server_default="{}"),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("max_queue", Integer, nullable=False, server_default="0"),
    Column("overflow_to", Text),
    Column("overflow_after", Integer, nullable=False, server_default="0"),
    #: s; 0: never; none: as on the whole site
    Column("answer_within", Integer),
    #: of a week, its IANA time zone, and in JSON those of dates that differ: `opening_hours.hours`
    Column("hours", Text, nullable=False, server_default=""),
    Column("zone", Text, nullable=False, server_default=""),
    Column("dates", Text, nullable=False, server_default="{}"),
)

#: one for each time that a visitor asks for a waiter, or leaves a message without: `visits`
visit = Table(
    "visit",
    metadata,
    #: as `connect` has drawn it for the conversation; that may never begin, or be erased
    Column("key", Number, primary_key=True, autoincrement=False),
    Column("asked", BigInteger, nullable=False),
    #: the one that the visitor has asked for
    Column("department", Text, nullable=False, server_default=""),
    #: when a waiter was found, and which one, by its subject
    Column("matched", BigInteger),
    Column("waiter", Text, nullable=False, server_default=""),
    #: when a waiter has written something, and which one
    Column("answered", BigInteger),
    Column("answered_by", Text, nullable=False, server_default=""),
    Column("ended", BigInteger),
    #: `visits.Outcome`, or the reason of the conversation's end; empty: it is under way
    Column("outcome", Text, nullable=False, server_default=""),
)
#: reports look by when somebody asked; keys are ahead of that after a clock was set back
Index("visit_asked", visit.c.asked, visit.c.key)
Index(
    "visit_open",
    visit.c.key,
    sqlite_where=text("ended IS NULL"),
    postgresql_where=text("ended IS NULL"),
)

#: what the site says to visitors by itself
words = Table(
    "words",
    metadata,
    #: empty: the whole site
    Column("department", Text, primary_key=True),
    #: `words.Occasion`
    Column("what", Text, primary_key=True),
    Column("language", Text, primary_key=True),
    Column("text", Text, nullable=False),
    #: s in the queue
    Column("after", Integer, nullable=False, server_default="0"),
    #: counts the texts in the order in which they were first set
    Column("place", Integer, nullable=False, server_default="0"),
)

#: which waiter, by its subject, is a member of which department
membership = Table(
    "membership",
    metadata,
    Column("waiter", Text, primary_key=True),
    Column("department", Text, primary_key=True),
    Column("priority", SmallInteger, nullable=False, server_default="0"),
)

#: what visitors have written when nobody served them; the text is the first entry of `chat`
left_message = Table(
    "left_message",
    metadata,
    Column("chat", BigInteger, primary_key=True, autoincrement=False),
    #: the visitor's, and the `id` of its frame
    Column("subject", Text, nullable=False),
    Column("client_id", Text),
    Column("department", Text, nullable=False, server_default=""),
    Column("name", Text, nullable=False, server_default=""),
    Column("email", Text, nullable=False, server_default=""),
    Column("language", Text, nullable=False, server_default=""),
    Column("left", BigInteger, nullable=False),
    #: the subject of the waiter who sees to it
    Column("claimed_by", Text),
    Column("claimed_name", Text, nullable=False, server_default=""),
    Column("claimed_at", BigInteger),
    Column("answered_at", BigInteger),
    Column("put_away_at", BigInteger),
    #: numbers of the last change, and of the last answer: `left_messages`
    Column("changed", BigInteger, nullable=False, server_default="0"),
    Column("answered", BigInteger, nullable=False, server_default="0"),
)
Index(
    "left_message_subject",
    left_message.c.subject,
    left_message.c.client_id,
    unique=True,
)
_is_open = text("answered_at IS NULL AND put_away_at IS NULL")
Index(
    "left_message_open",
    left_message.c.department,
    left_message.c.chat,
    sqlite_where=_is_open,
    postgresql_where=_is_open,
)
Index("left_message_changed", left_message.c.changed)

#: mails that wait to be sent about entries of messages that were left: `mail`
mail = Table(
    "mail",
    metadata,
    Column("n", Number, primary_key=True, autoincrement=True),
    Column("chat", BigInteger, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    #: ms since 1970: since when it waits, when it is tried next, until when a worker has it
    Column("queued", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("leased_until", BigInteger, nullable=False, server_default="0"),
    Column("tries", Integer, nullable=False, server_default="0"),
    sqlite_autoincrement=True,  # a number is never given again: the mail's id is made of it
)
Index("mail_due", mail.c.due)
Index("mail_chat", mail.c.chat)

#: what participants have sent into conversations; their content is elsewhere: `files`
file = Table(
    "file",
    metadata,
    #: random, so that nobody guesses it
    Column("id", Text, primary_key=True),
    Column("chat", BigInteger, nullable=False),
    Column("side", SmallInteger, nullable=False),
    Column("author", Text, nullable=False),
    #: what the author's client calls the upload; none: it comes in one request
    Column("upload", Text),
    Column("name", Text, nullable=False),
    #: bytes: of the upload while it comes, then of the content
    Column("size", BigInteger, nullable=False),
    #: bytes of the upload that have come
    Column("received", BigInteger, nullable=False, server_default="0"),
    #: empty while it comes
    Column("mime", Text, nullable=False, server_default=""),
    #: of an image
    Column("width", Integer),
    Column("height", Integer),
    Column("thumb", Boolean, nullable=False, server_default=false()),
    #: ms since 1970, as are all times here
    Column("created", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    #: whole, judged, and its content is stored
    Column("kept", Boolean, nullable=False, server_default=false()),
    #: when a message was about to name it
    Column("named", BigInteger),
    #: there is nothing to look for: the message that names it was found
    Column("settled", Boolean, nullable=False, server_default=false()),
    #: its content is to be deleted, and the row after that
    Column("removed", Boolean, nullable=False, server_default=false()),
)
Index("file_chat", file.c.chat)
Index("file_upload", file.c.side, file.c.author, file.c.upload, unique=True)
Index(
    "file_unsettled",
    file.c.changed,
    sqlite_where=text("settled = 0"),
    postgresql_where=text("NOT settled"),
)
