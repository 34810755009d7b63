"""`make bench`: csapp beside plain flask-sock, in interleaved rounds, on one core each.

    python -m bench [--rounds N] [--seconds S] [--idle N] [--long] [--json FILE] [--svg FILE]

The server gets one core, the driver the other. Figures are medians over the
rounds; what counts are the ratios of one run. `docs/performance.md` explains
how to read them.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

from services.identity import Identity, TokenRole, Tokens
from testkit.redis import RedisServer
from testkit.server import SECRET, LiveServer

from .driver import cpu_seconds
from .match import department_cost, match_cost, return_cost
from .plot import svg

ROOT = Path(__file__).resolve().parent.parent
USERS, WAITERS = 100, 20

#: scenario → messages in flight for each user
RELAY = {"closed": 1, "pipelined": 16}

#: scenario and figure → the least ratio to plain flask-sock; less is shown as a failure
WANTED = {
    ("closed", "relays_per_s"): 6.0,
    ("pipelined", "relays_per_s"): 14.0,
    ("durable", "relays_per_s"): 4.0,
    ("idle", "opens_per_s"): 2.0,
}


#: relays for each CPU second, sender and receiver on different workers
WORKERS_WANTED = 0.4


class Peer:
    """A server under test."""

    def __init__(
        self, name: str, app: str, args: list[str], spaced: bool, database: bool = False
    ) -> None:
        self.name = name
        self.app = app
        self.args = args
        #: its frames have a space behind each colon
        self.spaced = spaced
        #: it stores each message before it delivers it
        self.database = database

    def start(self, **more: str) -> LiveServer:
        command = [sys.executable, "-m", "gunicorn", *self.args, "-b", "127.0.0.1:{port}", self.app]
        env = {
            "CSAPP_DATABASE_URL": "off",
            "CSAPP_MESSAGE_RATE": "0",
            "CSAPP_CONNECTIONS_PER_IP": "0",
            "CSAPP_HEARTBEAT": "3600",  # no ping gets between two texts; the idle run has its own
        }
        if self.database and not more:
            folder = tempfile.mkdtemp(prefix="csapp-bench-", dir=ROOT / "instance")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            env["CSAPP_DATABASE_URL"] = f"sqlite:///{folder}/bench.db"
        server = LiveServer(command, {**env, **more}, health="/")
        os.sched_setaffinity(server.worker_pid, {SERVER_CPU})
        return server


CSAPP = Peer("csapp", "wsgi:app", ["-c", "gunicorn.conf.py", "-w", "1"], spaced=False)
KEEPING = Peer("csapp", CSAPP.app, CSAPP.args, spaced=False, database=True)
PLAIN = Peer(
    "flask-sock",
    "bench.plain_flask_sock:app",
    ["-c", os.devnull, "-k", "gevent", "-w", "1", "--no-control-socket",
     "--worker-connections", "20000"],
    spaced=True,
)  # fmt: skip

CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPU, DRIVER_CPU = CPUS[0], CPUS[-1]


def tokens(count: int) -> dict[str, list[str]]:
    """Tokens that both servers accept."""
    signer = Tokens([SECRET], 86_400)
    return {
        "user": [signer.sign(Identity(f"u{n}", "", TokenRole.USER)) for n in range(count)],
        "waiter": [signer.sign(Identity(f"w{n}", "", TokenRole.WAITER)) for n in range(WAITERS)],
    }


class Driver:
    """A `bench.driver` process with one request."""

    def __init__(self, **asked: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.driver"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({**asked, "cpu": DRIVER_CPU}) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the driver failed; see above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def memory_kib(pid: int) -> float:
    """What a process has for itself, in KiB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return float(line.split()[1])
    raise AssertionError


def relay(peer: Peer, window: int, seconds: float) -> dict[str, Any]:
    """One stretch of 100 users and 20 waiters."""
    with peer.start() as server:
        return drive([server], window, seconds, peer.spaced)


def drive(servers: list[LiveServer], window: int, seconds: float, spaced: bool) -> dict[str, Any]:
    """Run users on the first of *servers* with waiters on the last."""
    driver = Driver(
        scenario="relay",
        ports=[server.port for server in servers],
        pids=[server.worker_pid for server in servers],
        tokens=tokens(USERS),
        users=USERS,
        waiters=WAITERS,
        window=window,
        warm=0.7,
        seconds=seconds,
        spaced=spaced,
    )
    found = driver.answer()
    driver.process.wait()
    return found


def apart(window: int, seconds: float) -> dict[str, Any]:
    """Users on one worker, waiters on another, one desk in Redis, one history."""
    with RedisServer() as redis, tempfile.TemporaryDirectory(dir=ROOT / "instance") as folder:
        shared = {
            "CSAPP_DATABASE_URL": f"sqlite:///{folder}/bench.db",
            "CSAPP_REDIS_URL": redis.url,
        }
        with KEEPING.start(**shared) as one, KEEPING.start(**shared) as other:
            return drive([one, other], window, seconds, KEEPING.spaced)


def idle(peer: Peer, count: int) -> dict[str, Any]:
    """Open *count* authenticated users and look at what they cost."""
    with peer.start() as server:
        pid = server.worker_pid
        warm = Driver(scenario="idle", port=server.port, tokens={"user": tokens(200)["user"]})
        warm.answer()
        warm.end()
        time.sleep(1)
        before, cpu = memory_kib(pid), cpu_seconds(pid)
        driver = Driver(scenario="idle", port=server.port, tokens=tokens(count))
        opened = driver.answer()
        open_cpu = cpu_seconds(pid) - cpu
        time.sleep(1)
        after, cpu = memory_kib(pid), cpu_seconds(pid)
        time.sleep(2)
        resting = (cpu_seconds(pid) - cpu) / 2
        driver.end()
        return {
            "opens_per_s": count / opened["seconds"],
            "open_us": open_cpu / count * 1e6,
            "kib_each": (after - before) / count,
            "resting_cpu_percent": resting * 100,
            "problems": [],
        }


def medians(rounds: list[dict[str, Any]]) -> dict[str, float]:
    """The median of every figure."""
    keys = [key for key, value in rounds[0].items() if isinstance(value, int | float)]
    return {key: statistics.median(one[key] for one in rounds) for key in keys}


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All scenarios, the peers taking turns."""
    rounds: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for number in range(options.rounds):
        for peer in (PLAIN, CSAPP):
            for scenario, window in RELAY.items():
                print(f"round {number + 1}: {scenario}, {peer.name} …", file=sys.stderr)
                found = relay(peer, window, options.seconds)
                rounds.setdefault(scenario, {}).setdefault(peer.name, []).append(found)
            if peer is CSAPP:
                print(f"round {number + 1}: durable, {peer.name} …", file=sys.stderr)
                found = relay(KEEPING, RELAY["pipelined"], options.seconds)
                durable = rounds.setdefault("durable", {})
                durable["flask-sock"] = rounds["pipelined"]["flask-sock"]  # which stores nothing
                durable.setdefault(peer.name, []).append(found)
                print(f"round {number + 1}: workers …", file=sys.stderr)
                both = rounds.setdefault("workers", {})
                both["together"] = durable[peer.name]
                found = apart(RELAY["pipelined"], options.seconds)
                both.setdefault("apart", []).append(found)
            if options.idle:
                print(f"round {number + 1}: idle, {peer.name} …", file=sys.stderr)
                found = idle(peer, options.idle)
                rounds.setdefault("idle", {}).setdefault(peer.name, []).append(found)
    print("match …", file=sys.stderr)
    return {
        "machine": machine(),
        "options": {key: value for key, value in vars(options).items() if key != "func"},
        "rounds": rounds,
        "medians": {
            scenario: {peer: medians(found) for peer, found in peers.items()}
            for scenario, peers in rounds.items()
        },
        "match": match_cost(options.rounds),
        "departments": department_cost(options.rounds),
        "return": return_cost(options.rounds),
    }


def machine() -> dict[str, Any]:
    """Where this was measured."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), "unknown",
    )  # fmt: skip
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version() + unoptimised(),
        "system": platform.platform(),
        "load_before": os.getloadavg()[0],
    }


def unoptimised() -> str:
    """Tells a Python that was built without profile-guided optimisation: a third slower."""
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    # Debian builds its own Python with a profile, but in a way of its own.
    optimised = "--enable-optimizations" in options or "'--prefix=/usr'" in options
    return "" if optimised else " (built without optimisation)"


def table(found: dict[str, Any]) -> str:
    """The figures for people."""
    machine_ = found["machine"]
    lines = [
        f"{machine_['cpu']}, {machine_['cores']} cores, Python {machine_['python']}, "
        f"load {machine_['load_before']:.1f}",
        "",
        f"{'':28}{'flask-sock':>12}{'csapp':>12}{'ratio':>8}   wanted",
    ]
    names = {
        "relays_per_s": "relays/s", "server_us": "µs of CPU a relay", "rtt_p50_ms": "p50 ms",
        "rtt_p99_ms": "p99 ms", "opens_per_s": "opened/s", "open_us": "µs of CPU an opening",
        "kib_each": "KiB a connection", "resting_cpu_percent": "% of a core at rest",
    }  # fmt: skip
    for scenario, peers in found["medians"].items():
        if scenario == "workers":
            continue
        plain, ours = peers["flask-sock"], peers["csapp"]
        for key, name in names.items():
            if key not in ours:
                continue
            better = plain[key] / ours[key] if ours[key] else 0.0
            if key.endswith("_per_s"):
                better = 1 / better if better else 0.0
            wanted = WANTED.get((scenario, key))
            note = "" if wanted is None else f"≥ {wanted:g}× {'✓' if better >= wanted else '✗'}"
            lines.append(
                f"{scenario + ': ' + name:28}{plain[key]:12,.1f}{ours[key]:12,.1f}"
                f"{better:7.1f}×   {note}"
            )
    for what in ("match", "departments", "return"):
        for size, cost in found[what].items():
            lines.append(f"{what + ', ' + size:40}{cost:12.1f} µs")
    lines += [*of_workers(found["medians"]["workers"]), "", *warnings(found)]
    return "\n".join(lines)


def of_workers(peers: dict[str, dict[str, float]]) -> list[str]:
    """Both sides on one worker against a worker for each, the history on."""
    together, apart_ = peers["together"], peers["apart"]
    ratio = together["server_us"] / apart_["server_us"]
    return [
        "",
        f"{'two workers':28}{'together':>12}{'apart':>12}{'ratio':>8}   wanted",
        f"{'µs of CPU a relay':28}{together['server_us']:12,.1f}{apart_['server_us']:12,.1f}"
        f"{ratio:7.2f}×   ≥ {WORKERS_WANTED:g}× {'✓' if ratio >= WORKERS_WANTED else '✗'}",
        f"{'p50 ms':28}{together['rtt_p50_ms']:12,.1f}{apart_['rtt_p50_ms']:12,.1f}",
    ]


def warnings(found: dict[str, Any]) -> list[str]:
    """What spoils the figures."""
    said = []
    for scenario, peers in found["rounds"].items():
        for peer, rounds in peers.items():
            for one in rounds:
                if one.get("driver_cpu", 0) > 0.9:
                    said.append(f"{scenario}, {peer}: the driver was the limit, not the server")
                for problem in one["problems"]:
                    said.append(f"{scenario}, {peer}: WRONG: {problem}")
    return said


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="measured, for each stretch")
    parser.add_argument(
        "--idle", type=int, default=1500, help="idle connections; 0 leaves them out"
    )
    parser.add_argument("--long", action="store_true", help="7 rounds of 10 s, 9000 idle")
    parser.add_argument("--json", type=Path, default=Path("instance/bench.json"))
    parser.add_argument("--svg", type=Path, default=Path("instance/bench.svg"))
    options = parser.parse_args()
    if options.long:
        options.rounds, options.seconds, options.idle = 7, 10.0, 9000
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    (ROOT / "instance").mkdir(exist_ok=True)
    found = measure(options)
    for path, text in (
        (options.json, json.dumps(found, indent=1, default=str)),
        (options.svg, svg(found)),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    print(table(found))
    print(f"\nwritten: {options.json}, {options.svg}")
    if any("WRONG" in one for one in warnings(found)):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
