"""Where a request comes from: its client's address, its language, and the page that sent it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}

_MOST_SHOWN = 200  # characters of a header that an error repeats

#: an address with its origin, or a path of the same site
_ADDRESS = re.compile(
    r"(?=/|[a-z][a-z0-9+.-]*://)(?P<origin>(?:[a-z][a-z0-9+.-]*:)?//[^/?#\\]*)?"
    r"(?P<path>[^?#]*)(?P<query>\?[^#]*)?",
    re.IGNORECASE | re.DOTALL,
)


class PageShown(StrEnum):
    """What waiters see of the address of a visitor's page."""

    OFF = "off"
    #: scheme and host
    ORIGIN = "origin"
    #: scheme, host and path
    PATH = "path"
    #: all but the fragment
    QUERY = "query"


#: an address as proxies write it: bare, with a port, with a zone, in quotes, after `for=`
#: (RFC 7239): `203.0.113.1:5000`, `"[2001:db8::1]:5000"`, `for=203.0.113.1;proto=https`
_WRITTEN = re.compile(
    r"""(?:for\s*=)?\s*"?\s*
    (?: \[(?P<bracketed>[^]%]*)(?:%[^]]*)?\](?::\w*)?
      | (?P<bare>(?:[^]":;%]*:){2,7}[^]":;%]*) (?:%[\w.-]*)? (?::\d+)?  # IPv6 has colons itself
      | (?P<short>[^]":;%]*) (?::\w*)?
    )\s*"?\s*(?:;.*)?""",
    re.IGNORECASE | re.VERBOSE,
)


#: where Werkzeug's ProxyFix keeps what it has replaced in an environment
PROXY_FIX = "werkzeug.proxy_fix.orig"

#: all whose address a trusted proxy names so that it cannot be read: they count as one address
UNREADABLE = "unreadable"

#: IPv4 as a translator writes it: for a server that has only IPv6 (RFC 6052)
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")


def first_language(environ: Mapping[str, Any]) -> str:
    """The language that the browser asks for first; empty: it asks for none."""
    first: str = environ.get("HTTP_ACCEPT_LANGUAGE", "").partition(",")[0]
    return first.partition(";")[0].strip()


def client_address(environ: Mapping[str, Any], hops: int) -> str:
    """The client's address as limits count it; empty where nobody names one.

    *hops* proxies are believed; where that is 0, those that the application's own
    ProxyFix believes, which has replaced what it says; what a client itself writes into
    `X-Forwarded-For` stands further to the left and is never looked at. A proxy
    may write a port beside the address. IPv6 clients are counted by their /64,
    of which each has one to itself. `UNREADABLE` where what the proxy writes is no
    address: all such clients together have the bounds of one.
    """
    claimed = environ.get("HTTP_X_FORWARDED_FOR")
    address = forwarded(claimed, hops) or _replaced(environ, "REMOTE_ADDR")
    if address:
        return _counted(address) or UNREADABLE
    return _counted(environ.get("REMOTE_ADDR", "")) or (UNREADABLE if hops and claimed else "")


def _replaced(environ: Mapping[str, Any], name: str) -> str:
    """What the application's own ProxyFix has made of *name*; empty where it has left it alone."""
    before = environ.get(PROXY_FIX)
    value: str = environ.get(name) or ""
    return value if before is not None and before.get(name) != value else ""


def is_known(address: str) -> bool:
    """Whether *address*, one of `client_address`, is that of somebody in particular."""
    return address not in ("", UNREADABLE)


@lru_cache(maxsize=4096)  # each request asks twice, and reading an address costs 20 µs
def _counted(written: str) -> str:
    match = _WRITTEN.fullmatch(written.strip())
    try:
        parsed = ipaddress.ip_address(match[match.lastgroup or 0].strip() if match else "")
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped or parsed in _TRANSLATED:
            return str(ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF))
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return str(parsed)


def public_host(environ: Mapping[str, Any], hops: int) -> str:
    """The host, with its port, under which the client reached this server."""
    return forwarded(environ.get("HTTP_X_FORWARDED_HOST"), hops) or environ.get("HTTP_HOST", "")


def public_site(environ: Mapping[str, Any], hops: int, prefix: str) -> str:
    """The absolute address under which the client reached the doors below *prefix*."""
    scheme = forwarded(environ.get("HTTP_X_FORWARDED_PROTO"), hops).lower()
    if scheme not in DEFAULT_PORTS:
        scheme = "https" if environ.get("wsgi.url_scheme") in ("https", "wss") else "http"
    return f"{scheme}://{public_host(environ, hops)}{environ.get('SCRIPT_NAME', '')}{prefix}"


def forwarded(header: str | None, hops: int) -> str:
    """The value that the outermost of *hops* trusted proxies added; empty without one."""
    if not hops or not header:
        return ""
    values = [value.strip() for value in header.split(",")]
    return values[-hops] if len(values) >= hops else ""


def origin_allowed(origin: str | None, host: str, allowed: Collection[str]) -> bool:
    """Whether a page of *origin* may connect to this server, reached as *host*.

    No Origin at all is no browser, and is let in: it has no cookies to abuse.
    """
    if origin is None or "*" in allowed:
        return True
    origin = origin.lower()
    if origin in allowed:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:  # half an address in brackets
        return False
    if parts.scheme not in DEFAULT_PORTS or not parts.netloc or "@" in parts.netloc:
        return False
    return not allowed and _netloc(parts.scheme, parts.netloc) == _netloc(parts.scheme, host)


def why_refused(origin: str, host: str, allowed: Collection[str]) -> str:
    """A sentence that names what `origin_allowed` has compared, and the likely mistake."""
    origin, host = origin[:_MOST_SHOWN], host[:_MOST_SHOWN]
    if allowed:
        return f"CSAPP_ALLOWED_ORIGINS does not list the page's origin, {origin}"
    what = f"the page's origin is {origin}, and this server was reached as {host or 'nothing'}"
    _, _, netloc = origin.lower().partition("://")
    if netloc and _without_port(netloc) == _without_port(host.lower()):
        return f"{what}: does a proxy leave the port out? (nginx: proxy_set_header Host $http_host)"
    return (
        f"{what}: CSAPP_TRUSTED_PROXIES says how many proxies to believe, "
        "CSAPP_ALLOWED_ORIGINS which other sites may chat"
    )


def _without_port(netloc: str) -> str:
    return re.sub(r":\d*$", "", netloc)


def shown_page(page: str, how: PageShown) -> str:
    """What is stored of the address *page*, which a visitor's browser has named.

    Queries and fragments hold searches, names and keys, and a path may hold a
    password's reset. Words that are no address are the host's own, and stay.
    """
    page = page.strip()
    address = _ADDRESS.match(page)
    if how is PageShown.OFF or address is None:
        return "" if how is PageShown.OFF else page
    origin = re.sub(r"//[^/]*@", "//", address["origin"] or "")  # a name and a password
    if how is PageShown.ORIGIN:
        return origin
    query = address["query"] if how is PageShown.QUERY else ""
    return origin + address["path"] + (query or "")


#: what no host of an address may hold, by the URL standard; and the : of IPv6
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f#%/:<>?@\[\\\]^`{|}]")


def host_in_ascii(host: str) -> str:
    """*host* as browsers write it: names by UTS 46, non-transitional, and IPv6 in short.

    Python's own codec goes by the older IDNA 2003, in which `straße` is `strasse`.
    Raises `ValueError` for what is the name of no host.
    """
    if ":" in host:
        return ipaddress.IPv6Address(host).compressed
    host = host.lower()
    if not host.isascii() or "xn--" in host:
        import idna  # its tables are big, and hardly anybody needs them

        labels = idna.uts46_remap(host, std3_rules=False).split(".")
        host = ".".join(_label_in_ascii(label) for label in labels)
    if not host.strip(".") or ".." in host or _FORBIDDEN.search(host):
        raise ValueError("no host has such a name")
    return host


def _label_in_ascii(label: str) -> str:
    """One part of a name, which is mapped already. Raises `ValueError`."""
    import idna

    if label.startswith("xn--"):
        name = label.removeprefix("xn--").encode().decode("punycode")
        if name.isascii() or idna.uts46_remap(name, std3_rules=False) != name:
            raise ValueError(f"{label} stands for no name")
    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode()
    except idna.InvalidCodepoint:  # IDNA 2008 has no emoji, browsers have
        return f"xn--{label.encode('punycode').decode()}"


def _netloc(scheme: str, netloc: str) -> str:
    return netloc.lower().removesuffix(f":{DEFAULT_PORTS[scheme]}")
