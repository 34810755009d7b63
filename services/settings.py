"""All settings, each once: key, default, unit, reason, what is allowed.

`Settings` is frozen: what the process started with is what it runs with. The
blueprints read the Flask config and hand a plain mapping to `load`; nothing
below them knows where a value came from. `docs/reference.md` lists the same
table and a test holds the two together.
"""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import file_places as places
from . import instance as instances
from . import setting_parsers as parse
from .errors import SettingsError
from .origin import PageShown
from .prechat import Field, declared

PREFIX = "CSAPP_"

MAX_LIFETIME = 10 * 365 * 86_400  # s: of any token


class TeamShown(StrEnum):
    """Which waiters a visitor is shown before it asks."""

    READY = "ready"
    OFF = "off"


class OfflineWhen(StrEnum):
    """When a visitor who asks is told that it cannot be served now, and does not wait."""

    CLOSED = "closed"
    #: … or no waiter is ready
    NOBODY = "nobody"
    NEVER = "never"


def _require_driver(key: str, url: str | None, extra: str, module: str) -> None:
    """Raise `SettingsError` where *url* needs *module*, which is not installed."""
    needs = url and (extra == "redis" or url.startswith(extra))
    if needs and importlib.util.find_spec(module) is None:
        what = f"its driver is not installed; pip install 'csapp[{extra}]'"
        raise SettingsError(key, f"{urlsplit(str(url)).scheme}:…", what)


def _check_idle(values: Mapping[str, Any]) -> None:
    """Raise `SettingsError` where visitors would be warned of nothing, or cannot be judged."""
    warn, close = values.get("idle_warn", 0.0), values.get("idle_close", 0.0)
    if warn and warn >= close:
        raise SettingsError("CSAPP_IDLE_WARN", warn, "less than CSAPP_IDLE_CLOSE, or 0")
    if close and values.get("database_url") == "off":
        allowed = "0: without a database nobody knows who has written last"
        raise SettingsError("CSAPP_IDLE_CLOSE", close, allowed)


def _check_mail(values: Mapping[str, Any]) -> None:
    """Raise `SettingsError` where mails have no sender, or nothing could be sent."""
    if not values.get("smtp_url"):
        return
    if not values.get("mail_from"):
        allowed = "an address: CSAPP_SMTP_URL sends mails from it"
        raise SettingsError("CSAPP_MAIL_FROM", "", allowed)
    if values.get("database_url") == "off":
        allowed = "nothing: without a database nobody leaves messages"
        raise SettingsError("CSAPP_SMTP_URL", "smtp…", allowed)


def _setting(read: Callable[[str, Any], Any], default: Any = MISSING) -> Any:
    return field(default=default, metadata={"parse": read})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one csapp runs with. `CSAPP_` + the field's name in capitals is its key."""

    #: signing keys, oldest first; the newest signs, all verify (rotation without logouts);
    #: none: one is generated, see `signing_keys`
    secret_key: tuple[str, ...] = _setting(parse.secret_keys)
    #: where history and accounts are stored; `off`: nothing is stored, messages are passed on only
    database_url: str = _setting(parse.database_url, "sqlite:///instance/csapp.db")
    #: the schema of our tables in PostgreSQL
    database_schema: str = _setting(parse.schema, "csapp_chat")
    #: days after its end that a conversation is deleted; 0: never
    retention_days: int = _setting(parse.whole(0, 36_500), 0)
    #: where the content of files is stored; `off`: nobody sends any
    files_url: str = _setting(parse.files_url, "file:instance/files")
    #: bytes of one file
    max_file: int = _setting(parse.whole(1024, 1 << 30), 10_485_760)
    #: MIME types of files that may be sent
    file_types: tuple[str, ...] = _setting(parse.file_types, places.USUAL)
    #: languages whose inflected endings a search disregards
    search_languages: tuple[str, ...] = _setting(parse.languages, ("english",))
    #: where several workers meet; none: one worker
    redis_url: str | None = _setting(parse.redis_url, None)
    #: conversations that one waiter has at once
    max_users_per_waiter: int = _setting(parse.whole(1, 1000), 5)
    #: visitors in the queue; the next one gets `queue_full`
    max_queue: int = _setting(parse.whole(0, 10_000_000), 10_000)
    #: waiters may take any visitor of the queue
    take: bool = _setting(parse.switch, True)
    #: s that the desk waits for an absent side: a phone changes to mobile, a page reloads
    grace: float = _setting(parse.seconds(0, 86_400), 20.0)
    #: s that the desk waits for a served visitor of version 2: phones sleep
    away: float = _setting(parse.seconds(0, 86_400), 600.0)
    #: s in which a waiter has to write something to a visitor that it has got; 0: no bound
    answer_within: float = _setting(parse.seconds(0, 86_400), 0.0)
    #: s that a waiter's page may show no life before its waiter gets nobody
    frozen: float = _setting(parse.seconds(3, 3600), 60.0)
    #: s of silence behind a waiter's last word: until a visitor is warned, and until its
    #: conversation ends; 0: never
    idle_warn: float = _setting(parse.seconds(0, 86_400), 0.0)
    idle_close: float = _setting(parse.seconds(0, 86_400), 0.0)
    #: s a connection may stay without a successful `auth`
    auth_timeout: float = _setting(parse.seconds(0.1, 3600), 10.0)
    #: s between pings: under the 30–60 s at which proxies cut idle connections
    heartbeat: float = _setting(parse.seconds(1, 3600), 25.0)
    #: bytes of one frame or fragmented message
    max_frame: int = _setting(parse.whole(1024, 64 * 1024 * 1024), 65_536)
    #: characters of one text message
    max_text: int = _setting(parse.whole(1, 1_000_000), 4096)
    #: bytes that may wait for a slow reader before it is cut off (4413)
    outbox_bytes: int = _setting(parse.whole(65_536, 1 << 30), 1_048_576)
    #: s that bytes may wait for a slow reader before it is cut off (4413)
    outbox_seconds: float = _setting(parse.seconds(1, 3600), 10.0)
    #: frames a second from one connection, sustained; 0: no limit
    message_rate: float = _setting(parse.rate, 10.0)
    #: frames from one connection at once, on top of the rate
    message_burst: int = _setting(parse.whole(1, 1_000_000), 30)
    #: malformed frames a minute before a connection is closed (4400)
    bad_frames: int = _setting(parse.whole(1, 1_000_000), 10)
    #: connections from one client address; 0: no limit
    connections_per_ip: int = _setting(parse.whole(0, 10_000_000), 100)
    #: connections one worker accepts before it answers 503
    max_connections: int = _setting(parse.whole(1, 10_000_000), 15_000)
    #: origins whose pages may connect; none: the page's own host
    allowed_origins: tuple[str, ...] = _setting(parse.origins, ())
    #: what waiters see of the address of a visitor's page
    page: PageShown = _setting(parse.one_of(PageShown), PageShown.PATH)  # noqa: RUF009  # a field
    #: which waiters a visitor is shown before it asks
    team: TeamShown = _setting(parse.one_of(TeamShown), TeamShown.READY)  # noqa: RUF009  # a field
    #: visitors rate conversations, and waiters ask them to
    ratings: bool = _setting(parse.switch, True)
    #: when visitors who ask are sent `offline` in place of a position in the queue
    offline: OfflineWhen = _setting(parse.one_of(OfflineWhen), OfflineWhen.CLOSED)  # noqa: RUF009  # a field
    #: what a visitor may ask with one click
    quick_questions: tuple[str, ...] = _setting(parse.questions, ())
    #: what a visitor is asked before a chat
    fields: tuple[Field, ...] = _setting(declared, ())
    #: the mail server that mails about messages left go to; none: they are only stored
    smtp_url: str = _setting(parse.smtp_url, "")
    #: the address from which mails are sent, maybe with a name; needed with `smtp_url`
    mail_from: str = _setting(parse.mail_from, "")
    #: at most 10 addresses that get a mail when a visitor leaves a message; none: nobody does
    mail_to: tuple[str, ...] = _setting(parse.mail_to, ())
    #: hops of `X-Forwarded-*` to believe, counted from this server outwards
    trusted_proxies: int = _setting(parse.whole(0, 32), 0)
    #: s a token is good for
    token_lifetime: int = _setting(parse.whole(1, MAX_LIFETIME), 43_200)
    #: s after which the host is asked again who somebody is; 0: not before the token ends
    recheck: int = _setting(parse.whole(0, MAX_LIFETIME), 900)
    #: what this application is called: tokens and databases of others are refused;
    #: none: the Flask application's name
    audience: str = _setting(parse.audience, "")
    #: the path at which the blueprints are registered
    url_prefix: str = _setting(parse.url_prefix, "")

    #: no setting: the folder of the generated secret; a command that needs none may have none
    instance: Path | None = None
    #: no setting: where version 0.1 had the SQLite file, if that was another place
    former_database_url: str | None = None

    @classmethod
    def load(cls, config: Mapping[str, Any], instance: Path | None = None) -> Settings:
        """Read and check every `CSAPP_` key of *config*. Nothing is made or opened.

        *instance* is the application's instance folder: it keeps the generated
        secret when no `CSAPP_SECRET_KEY` is given, and relative SQLite files
        are found from it (`instance.beside`). Raises `SettingsError` for the
        first value that cannot be used and for a `CSAPP_` key that does not
        exist.
        """
        known = cls.keys()
        for key in config:
            if key.startswith(PREFIX) and key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = (
                    f"there is no such setting; did you mean {near[0]}?"
                    if near
                    else ("there is no such setting; docs/reference.md lists them all")
                )
                raise SettingsError(key, config[key], hint)
        values = {
            one.name: one.metadata["parse"](key, config[key])
            for key, one in known.items()
            if config.get(key) is not None
        }
        if "secret_key" not in values and instance is None:
            raise SettingsError(
                "CSAPP_SECRET_KEY", None, "a secret is needed where there is no instance folder"
            )
        values.setdefault("secret_key", ())
        if instance is not None:
            here = instance.absolute()
            url = values.get("database_url", known["CSAPP_DATABASE_URL"].default)
            values["instance"] = here
            values["database_url"] = parse.placed(url, partial(instances.beside, here))
            former = parse.placed(url, partial(instances.formerly, here))
            values["former_database_url"] = former if former != values["database_url"] else None
            files = values.get("files_url", known["CSAPP_FILES_URL"].default)
            values["files_url"] = places.placed(files, partial(instances.beside, here))
        _require_driver("CSAPP_DATABASE_URL", values.get("database_url"), "postgresql", "psycopg")
        _require_driver("CSAPP_REDIS_URL", values.get("redis_url"), "redis", "redis")
        _require_driver("CSAPP_FILES_URL", values.get("files_url"), "s3", "obstore")
        if values.get("redis_url") and values.get("database_url") == "off":
            allowed = "a database: several workers without a history could not keep their order"
            raise SettingsError("CSAPP_DATABASE_URL", "off", allowed)
        _check_idle(values)
        _check_mail(values)
        return cls(**values)

    def signing_keys(self) -> tuple[str, ...]:
        """The keys to sign with, oldest first. Raises `NoSecret`.

        Where none was given, the one of the instance folder, which is made
        when it is first asked for.
        """
        if self.secret_key or self.instance is None:
            return self.secret_key
        return (instances.generated_secret(self.instance),)

    @classmethod
    def keys(cls) -> dict[str, Any]:
        """Every config key with its dataclass field."""
        return {PREFIX + one.name.upper(): one for one in fields(cls) if one.metadata}
