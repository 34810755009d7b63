"""The stores: the database, and Redis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ..history.search import MAX_NEW
from ..history.serving import GONE
from ..words import counted
from .finding import Finding, fault, hint, warning
from .setup import Check, SetUp

#: PostgreSQL before this one is not looked after any more by those who make it
OLDEST_POSTGRES = 14

#: streams can be written only where somebody reads (NOMKSTREAM)
OLDEST_REDIS = (6, 2)

#: s: sign-outs are judged by the time of signing, and that is cut to the second
MOST_DRIFT = 1.0

#: kinds of file systems whose locks and shared memory SQLite cannot rely on
_NETWORK = (
    "9p", "afs", "ceph", "cifs", "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "gfs2", "glusterfs",
    "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs", "virtiofs",
)  # fmt: skip

#: kinds that are gone after a restart of the machine
_MEMORY = ("ramfs", "tmpfs")

#: what weakens a commit, and how it reads where it does not
_DURABLE = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "local", "remote_write", "remote_apply"),
}

NTP = "have all machines keep their time by NTP (systemd-timesyncd, chrony)"


def database(setup: SetUp) -> Iterator[Finding]:
    """It can be used, and a commit is a commit."""
    store = setup.store
    if store is None:
        yield warning(
            "CSAPP_DATABASE_URL is 'off': a restart forgets all chats, and no waiter can sign in",
            "name a database, if that is not meant so",
        )
        return
    if store.problem:
        yield fault(f"the database cannot be used: {store.problem}", _remedy(store.problem))
    for name, good in _DURABLE.items():
        if name in store.options and store.options[name] not in good:
            yield fault(
                f"{name} of PostgreSQL is {store.options[name]}: "
                "what was acknowledged can be lost when its machine goes down",
                f"{name} = on",
            )
    if _logs_texts(store.options):
        yield warning(
            "PostgreSQL's log shows what people say (log_statement or log_min_duration_statement), "
            "and keeps it when they are erased",
            "log_parameter_max_length = 0",
        )
    if store.kind == "postgresql" and 0 < store.version < OLDEST_POSTGRES:
        yield warning(
            f"PostgreSQL {store.version} is not maintained any more",
            f"move to {OLDEST_POSTGRES} or newer",
        )
    if store.stray_schema:
        yield hint(
            f"the tables are in the schema {store.stray_schema}, as version 0.1 made them: Flask-"
            "Migrate of an application with the same database stumbles over them",
            "in a moment without servers: flask --app … chat migrate --into-schema",
        )
    yield from _drift("the database", store.clock_ahead)


def _logs_texts(options: Mapping[str, str]) -> bool:
    """Whether PostgreSQL writes statements of ours with their values into its log."""
    writes = options.get("log_statement") in ("mod", "all") or (
        options.get("log_min_duration_statement", "-1") != "-1"
    )
    return writes and options.get("log_parameter_max_length", "0") != "0"


def _remedy(problem: str) -> str:
    if "chat migrate" in problem:
        return "flask --app … chat migrate"
    if "CSAPP_" in problem:
        return "do one of the things that it says"
    if "locked" in problem:
        return "end the program that has a transaction open in it, such as a shell or a copy"
    return "see to it that it runs and that CSAPP_DATABASE_URL is right"


def file(setup: SetUp) -> Iterator[Finding]:
    """SQLite's file is on a disk of this machine."""
    path = setup.store.path if setup.store else None
    if path is None:
        return
    kind = filesystem(path, setup.mounts)
    if kind in _NETWORK:
        yield fault(
            f"{path} is on a network file system ({kind}), where SQLite loses what was written",
            "put it on a disk of this machine, or use PostgreSQL",
        )
    elif kind in _MEMORY:
        yield fault(
            f"{path} is in memory ({kind}): all of it is gone after a restart of the machine",
            "put it on a disk",
        )


def processes(setup: SetUp) -> Iterator[Finding]:
    """Whoever serves the file is configured as this application is."""
    holder, redis_url = setup.store and setup.store.holder, setup.settings.redis_url
    if not setup.store or not holder or holder.shared == bool(redis_url):
        return
    has, lacks = _who_has_redis(holder.shared)
    yield fault(
        f"{setup.store.path} is served by {holder.name}: {has} has CSAPP_REDIS_URL and {lacks} "
        "has none, so a server that is started with this configuration carries no chats",
        "give both the same CSAPP_REDIS_URL, or none; or stop that process",
    )


def _who_has_redis(is_theirs: bool) -> tuple[str, str]:
    """Of a server that runs and this configuration: which has it, and which lacks it."""
    return ("it", "this configuration") if is_theirs else ("this configuration", "it")


def servers(setup: SetUp) -> Iterator[Finding]:
    """All who serve PostgreSQL are one desk."""
    found = setup.store.servers if setup.store else ()
    names = ", ".join(one.name for one in found)
    if len(found) > 1 and not all(one.shared for one in found):
        yield fault(
            f"{counted(len(found), 'process', 'processes')} served the database within the last "
            f"{GONE:.0f} s ({names}), and not all of them have CSAPP_REDIS_URL: these are separate "
            "desks, whose visitors and waiters never meet",
            "give all of them the same CSAPP_REDIS_URL, or run one process",
        )
    elif found and any(one.shared != bool(setup.settings.redis_url) for one in found):
        has, lacks = _who_has_redis(found[0].shared)
        yield fault(
            f"the database is served by {names}: {has} has CSAPP_REDIS_URL and {lacks} has none, "
            "so a server that is started with this configuration is a separate desk",
            "give both the same CSAPP_REDIS_URL, or none; or stop that process",
        )


def left_over(setup: SetUp) -> Iterator[Finding]:
    """No conversations are forgotten in a file that nothing uses."""
    if setup.store and setup.store.left_over:
        yield hint(
            f"{setup.store.left_over}, where csapp 0.1 kept conversations, is not in use: "
            f"{setup.store.path} is. No search, erasure or sweep reaches what is in it",
            "delete it, with its -wal and -shm, if it is not needed",
        )


def index(setup: SetUp) -> Iterator[Finding]:
    """What was said is found at once."""
    if setup.store and setup.store.not_indexed > MAX_NEW:
        yield hint(
            f"{setup.store.not_indexed:,} texts are not in the search index: a search takes "
            "seconds, and on the console several steps",
            "let a server run: it fills the index while it stores nothing",
        )


def dates(setup: SetUp) -> Iterator[Finding]:
    """No text comes from the future."""
    ahead = setup.store.newest - setup.clock if setup.store else 0.0
    if ahead > MOST_DRIFT:
        yield warning(
            f"the newest text is dated {ahead:.0f} s after this machine's clock, which was set "
            "back, or the writer's is fast: until then its chat shows that date for all texts",
            NTP,
        )


def filesystem(path: Path, mounts: str) -> str:
    """The kind of file system that *path* is on; *mounts* is as `/proc/self/mounts`."""
    best, kind = "", ""
    here = path.resolve()
    for line in mounts.splitlines():
        point, found = line.split(" ")[1:3]
        point = point.encode().decode("unicode_escape")  # a space is \\040
        if here.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, found
    return kind


def redis(setup: SetUp) -> Iterator[Finding]:
    """It can be used, throws nothing away, and comes back with what it knew."""
    found = setup.redis
    if found is None:
        return
    if found.problem:
        yield fault(
            f"Redis cannot be used: {found.problem}",
            "see to it that it runs and that CSAPP_REDIS_URL is right",
        )
        return
    if found.version < OLDEST_REDIS:
        yield fault(
            f"Redis {'.'.join(map(str, found.version))} is too old",
            f"{'.'.join(map(str, OLDEST_REDIS))} or newer is needed",
        )
    if found.replica:
        yield fault("this Redis is a replica, and takes no changes", "name the primary")
    if found.max_memory and found.policy != "noeviction":
        yield fault(
            f"Redis throws keys away when its memory is full (maxmemory-policy {found.policy}): "
            "participants and letters vanish",
            "maxmemory-policy noeviction",
        )
    if found.max_memory and found.used_memory > 0.9 * found.max_memory:
        yield warning(
            f"Redis uses {100 * found.used_memory // found.max_memory} % of its maxmemory; "
            "when it is full, no chat can begin",
            "raise maxmemory, or give csapp a Redis of its own",
        )
    if not found.persists:
        yield warning(
            "Redis keeps nothing on a disk: after its restart the queue is made up again from what "
            "the workers know, and who was away may have to join anew",
            "appendonly yes",
        )
    yield from _drift("Redis", found.clock_ahead)


def traces(setup: SetUp) -> Iterator[Finding]:
    """An erasure reaches Redis's files."""
    found = setup.redis
    if found is None or found.problem:
        return
    if found.forbidden:
        yield hint(
            f"this user of Redis may not run {' and '.join(found.forbidden)}: after an erasure, "
            "what was said stays in Redis's file until Redis writes it anew",
            f"ACL SETUSER … {' '.join(f'+{name.lower()}' for name in found.forbidden)}; "
            "or run it yourself after each erasure",
        )
    if not found.rewrites:
        yield hint(
            "Redis never rewrites its append-only file by itself (auto-aof-rewrite-percentage 0): "
            "it grows, and keeps what a server deletes once a day",
            "auto-aof-rewrite-percentage 100",
        )


def _drift(whose: str, ahead: float) -> Iterator[Finding]:
    if abs(ahead) > MOST_DRIFT:
        yield warning(
            f"the clock of {whose} is {abs(ahead):.1f} s {'ahead' if ahead > 0 else 'behind'}: "
            "sign-outs may let a token through, or end a new one",
            NTP,
        )


CHECKS: tuple[Check, ...] = (
    database,
    file,
    processes,
    servers,
    left_over,
    index,
    dates,
    redis,
    traces,
)
