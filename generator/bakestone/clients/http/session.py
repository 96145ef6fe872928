"""The HTTP session: proxies, CA, accounts, tries, time limits, words for who does not answer."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import unquote, urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import ConnectionPool, HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    LocationValueError,
    MaxRetryError,
    NewConnectionError,
    ReadTimeoutError,
    ResponseError,
)
from urllib3.util import Retry

from bakestone import __version__
from bakestone.clients.site.credentials import basic, origin
from bakestone.clients.site.site import Site

CONNECT, IDLE = 10.0, 60.0
"""Seconds to connect, and to wait for more of an answer."""
GIVE_UP = 3
"""Questions in a row that a host leaves without an answer; the next ones are not sent."""
MAX_REDIRECTS = 10
MAX_WAIT = 60
"""Seconds that a server may ask for with Retry-After; one that asks for more is given up."""
PASSING = (429, 500, 502, 503, 504)
"""Answers that may be other ones a moment later."""
MAX_SKEW = 60
"""Seconds that a clock may be off: beyond that, certificates and the times in signed package lists
begin to fail.
"""
PIECE = 2**18
"""Bytes that are read at a time, at most; also of what unpacks to more."""
LATE, STOPPED, SLOW = "no answer in time", "it stopped coming", "it came too slowly"
"""Reasons of `UnreachableError` (the first) and `BrokenError` that callers know apart."""
_SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie")
_KNOWN = (
    "Name or service not known", "Temporary failure in name resolution", "Connection refused",
    "No route to host", "Network is unreachable", "Connection reset by peer",
    "certificate verify failed",
)  # fmt: skip
"""What the system says, found in the midst of what requests and urllib3 make of it."""
_PROXY_KINDS = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_PROXY = "correct `proxies` in the site file, or the variables http_proxy and https_proxy"
_TLS = "name the CA bundle under `ca` in the site file"
_UP = (
    "is it up, and can this machine reach it? A mirror can be named under `mirrors` in the site"
    " file"
)


class HttpError(Exception):
    """Why a question has no answer that is of use: `reason` is a part of a sentence; another try
    may go well when it `heals`.
    """

    def __init__(self, reason: str, hint: str = "", *, heals: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.heals = heals


class UnreachableError(HttpError):
    """A host (HOST or HOST:PORT) gave no answer at all: what was to be asked of it is not known."""

    def __init__(self, host: str, reason: str, hint: str = _UP, *, heals: bool = True) -> None:
        super().__init__(reason, hint, heals=heals)
        self.host = host

    def __str__(self) -> str:
        return f"{self.host}: {self.reason}"


class BrokenError(HttpError):
    """An answer that did not come whole, or is none to what was asked."""


class LedAstrayError(HttpError):
    """Redirects that lead nowhere, or an address that is none."""


@dataclass(frozen=True)
class Request:
    """One question.

    `authorization` is the header for the origin of `url` alone, empty for none; None is the site's
    account for each URL on the way, or the one that a URL holds. `follow` goes after redirects of
    GET and HEAD; `allow` is called with each URL before it is asked, and may raise. `proxies`
    replaces the site's. `mirrored` begins at the site's mirror of the URL. `connect` and `idle` in
    seconds.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    data: bytes | IO[bytes] | None = None
    authorization: str | None = field(default=None, repr=False)
    follow: bool = True
    allow: Callable[[str], None] | None = None
    proxies: Mapping[str, str] | None = field(default=None, repr=False)
    connect: float = CONNECT
    idle: float = IDLE
    mirrored: bool = False


class Session:
    """Asks by HTTP; one instance serves all threads and hosts of a command.

    A host that left `give_up` questions in a row without an answer is not asked again. `skews` are
    the seconds that this machine's clock is ahead of each host's. No cookies, and no ~/.netrc.
    """

    def __init__(
        self, site: Site, *, give_up: int = GIVE_UP, now: Callable[[], float] = time.time
    ) -> None:
        self.site = site
        self.give_up = give_up
        self.now = now
        self.skews: dict[str, float] = {}
        self._silent: dict[str, list[UnreachableError]] = {}
        self._lock = threading.Lock()
        self._threads = threading.local()

    def ahead(self) -> float:
        """Seconds that this machine's clock is ahead of every host that answered; 0 where one of
        them agrees with it, and where none has answered.
        """
        with self._lock:
            least = min(self.skews.values(), default=0.0)
        return least if least > MAX_SKEW else 0

    def send(self, request: Request) -> requests.Response:
        """The answer, its body not yet read: use it in a `with`.

        Each secret goes to the host and port that it is for, and over http to none that was asked
        over https. Raises `UnreachableError` and `LedAstrayError`; `BakestoneError` when the secret
        of an account cannot be read.
        """
        url = self.site.mirror_url(request.url) if request.mirrored else request.url
        start = account = None
        for _ in range(MAX_REDIRECTS + 1):
            if request.allow:
                request.allow(url)
            url, own = _taken_apart(url)
            if start is None:
                start, account = origin(url), own
            here = origin(url) == start
            response = self._ask(request, url, own or (account if here else None), here=here)
            if not request.follow or request.method not in ("GET", "HEAD"):
                return response
            try:
                target = self._browser().target(response)
                if not target:
                    return response
                url = urljoin(url, target)
            except ValueError as problem:  # also a Location that is no UTF-8
                response.close()
                place = shown(response.headers["Location"])
                raise LedAstrayError(f"leads to {place}, which is no address") from problem
            response.close()
        raise LedAstrayError(f"more than {MAX_REDIRECTS} redirects, the last to {shown(url)}")

    def _ask(self, request: Request, url: str, own: str | None, *, here: bool) -> requests.Response:
        """One question to one URL. `own` is the account of the URL itself, `here` whether it is
        where the question began, so that its headers may hold a secret.
        """
        host = host_of(url)
        self.alive(host)
        login, ca = self.site.login(url), self.site.files.get("ca")
        header = request.authorization if here else None
        if header is None:
            header = login.authorization if login else own
        proxies: Any = request.proxies or self.site.proxies.choice(url)
        try:
            response = self._browser().request(
                request.method,
                url,
                headers=request.headers if here else _without_secrets(request.headers),
                data=request.data,
                # never None, or requests takes an account of ~/.netrc
                auth=_account(header),
                # with each request: those of the environment count for more than a session's
                proxies=proxies,
                verify=str(ca) if ca else True,
                timeout=(request.connect, request.idle),
                allow_redirects=False,
                stream=True,
            )
        except requests.exceptions.InvalidProxyURL:  # without a cause: it may hold a password
            said = "cannot be reached (the address of its proxy is none)"
            raise UnreachableError(host, said, _PROXY, heals=False) from None
        except requests.exceptions.InvalidHeader as problem:
            if _innermost(problem) is not problem:  # of the answer
                raise self.dead(unreachable(host, problem)) from problem
            # without a cause: its words hold the header
            raise LedAstrayError("cannot be asked: a header is none") from None
        except (requests.exceptions.InvalidURL, LocationValueError, UnicodeError) as problem:
            raise LedAstrayError(f"leads to {shown(url)}, which is no address") from problem
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as problem:
            raise self.dead(unreachable(host, problem)) from problem
        self.note(host, response.headers)
        return response

    def _browser(self) -> _Browser:
        """requests' sessions are not made for several threads: one a thread."""
        if not hasattr(self._threads, "browser"):
            self._threads.browser = _Browser()
        browser: _Browser = self._threads.browser
        return browser

    def alive(self, host: str) -> None:
        """Raise `UnreachableError` when the host is known to give no answer."""
        with self._lock:
            silent = self._silent.get(host, [])
            if len(silent) >= self.give_up:
                last = silent[-1]
                raise UnreachableError(host, last.reason, last.hint, heals=False) from last

    def dead(self, problem: UnreachableError) -> UnreachableError:
        """Note that a host gave no answer."""
        with self._lock:
            self._silent.setdefault(problem.host, []).append(problem)
        return problem

    def note(self, host: str, headers: Mapping[str, str]) -> None:
        """A host that answered is not silent, and says what time it is; a cache says how old its
        answer is (Age).
        """
        with self._lock:
            self._silent.pop(host, None)
        try:
            there = parsedate_to_datetime(headers.get("Date", ""))
            stamp = (there if there.tzinfo else there.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return
        age = number(headers.get("Age", "")) or 0
        with self._lock:
            self.skews[host] = self.now() - stamp - age


class Patience(Retry):
    """urllib3's retries, but what hung or is not trusted is not asked again, and Retry-After is
    followed up to `MAX_WAIT` seconds only.
    """

    def parse_retry_after(self, retry_after: str) -> float:
        """Seconds; 0 for what cannot be understood."""
        try:
            return float(super().parse_retry_after(retry_after))
        except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
            return 0

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: urllib3.BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        """The retries that are left; raises when there are none, or another try is of no use."""
        inner = _innermost(error)
        if error and (_hung(inner) or isinstance(inner, ssl.SSLCertVerificationError)):
            raise error
        if response and _pool and (self.get_retry_after(response) or 0) > MAX_WAIT:
            raise MaxRetryError(
                _pool, url, ResponseError(f"asked to wait more than {MAX_WAIT} seconds")
            )
        left = super().increment(method, url, response, error, _pool, _stacktrace)
        if response:
            response.close()  # or its body would be read to its end, which may not come
        return left


def patience() -> Patience:
    """Three more tries for what may heal, one more for a host that is not there."""
    return Patience(
        total=3,
        connect=1,
        backoff_factor=0.5,
        status_forcelist=PASSING,
        allowed_methods=None,
        raise_on_status=False,
    )


def wait(response: requests.Response) -> float:
    """The seconds that a server asks to wait with Retry-After; 0 when it does not."""
    return patience().get_retry_after(response.raw) or 0


class _Connection(HTTPConnection):
    def connect(self) -> None:
        with _connecting(self):
            super().connect()

    def getresponse(self) -> Any:
        with _answering(self):
            return super().getresponse()


class _EncryptedConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _EncryptedPool(HTTPSConnectionPool):
    ConnectionCls = _EncryptedConnection


_POOLS = {"http": _Pool, "https": _EncryptedPool}


class _Adapter(HTTPAdapter):
    """With tries, and with a limit on the time that an answer's headers take."""

    def init_poolmanager(self, *_: Any, **__: Any) -> None:
        self.poolmanager = urllib3.PoolManager()
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def send(
        self, request: requests.PreparedRequest, *rest: Any, **named: Any
    ) -> requests.Response:
        # whoever sent a stream knows where it must go again: an upload is begun anew
        self.max_retries = Retry(0, read=False) if hasattr(request.body, "read") else patience()
        return super().send(request, *rest, **named)

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> ConnectionPool:
        proxy = requests.utils.select_proxy(request.url or "", proxies)
        if proxy and not _is_proxy(proxy):
            raise requests.exceptions.InvalidProxyURL("no address of a proxy")
        return super().get_connection_with_tls_context(request, verify, proxies, cert)

    def proxy_manager_for(self, proxy: str, **options: Any) -> urllib3.ProxyManager:
        if proxy not in self.proxy_manager and not proxy.lower().startswith("socks"):
            found = urllib3.proxy_from_url(
                proxy, proxy_headers=self.proxy_headers(proxy), **options
            )
            found.pool_classes_by_scheme = _POOLS
            self.proxy_manager[proxy] = found
        known: urllib3.ProxyManager = super().proxy_manager_for(proxy, **options)
        return known


def _is_proxy(url: str) -> bool:
    with contextlib.suppress(ValueError):  # a port that is none
        parts = urlsplit(url if "://" in url else f"http://{url}")
        return parts.scheme in _PROXY_KINDS and bool(parts.hostname) and parts.port != 0
    return False


class _Browser(requests.Session):
    """requests' session, that keeps no cookies and looks at no redirect: it would read the whole
    body of one, however long.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers.update(
            {"User-Agent": f"bakestone/{__version__}", "Accept-Encoding": "identity"}
        )
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        return None

    def target(self, response: requests.Response) -> str | None:
        """Where an answer leads."""
        return super().get_redirect_target(response)


def _account(header: str | None) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """A header `Authorization`, or none, in the form in which requests takes it."""

    def put(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if header:
            request.headers["Authorization"] = header
        return request

    return put


def body(response: requests.Response, limit: int, end: float, *, whole: bool = True) -> bytes:
    """The body of an answer, of at most `limit` bytes; what is longer is cut when it need not be
    `whole`.

    `end` is the time (`time.monotonic`) after which no more is waited for, however steadily it
    trickles in. Raises `BrokenError`.
    """
    content = bytearray()
    for piece in pieces(response, end):
        content += piece
        if len(content) > limit and whole:
            raise BrokenError(f"it is longer than {limit} bytes")
        if len(content) >= limit and not whole:
            break
    return bytes(content[:limit])


def pieces(response: requests.Response, end: float) -> Iterator[bytes]:
    """The body of an answer as it comes in, unpacked, in pieces of at most `PIECE` bytes.

    Raises `BrokenError`; `end` as above.
    """
    count = 0
    late = BrokenError(SLOW)
    try:
        with _in_time(response.raw.shutdown, end - time.monotonic(), late):
            while piece := response.raw.read1(PIECE, decode_content=True):
                if time.monotonic() > end:
                    raise late
                count += len(piece)
                yield piece
    except ReadTimeoutError as problem:
        raise BrokenError(STOPPED) from problem
    except DecodeError as problem:
        raise BrokenError("it cannot be unpacked") from problem
    except (urllib3.exceptions.HTTPError, OSError) as problem:
        raise BrokenError(f"it ended too early, after {count} bytes", heals=True) from problem


@contextmanager
def _connecting(connection: HTTPConnection) -> Iterator[None]:
    """Give up to connect, also through a proxy whose answer trickles. What is sent afterwards may
    be taken as slowly as an answer may come: urllib3 would give it the time to connect.
    """
    late = ConnectTimeoutError(connection, "no connection in time")
    with _in_time(lambda: _shut(connection), 4 * _limit(connection, CONNECT), late):
        yield
    if connection.sock:
        connection.sock.settimeout(IDLE)


@contextmanager
def _answering(connection: HTTPConnection) -> Iterator[None]:
    """Give up an answer whose headers trickle, or never end: they get twice the time that it may be
    silent.
    """
    late = TimeoutError("the headers did not come in time")
    with _in_time(lambda: _shut(connection), 2 * _limit(connection, IDLE), late):
        yield


def _shut(connection: HTTPConnection) -> None:
    if connection.sock:
        connection.sock.shutdown(socket.SHUT_RDWR)


def _limit(connection: HTTPConnection, default: float) -> float:
    return connection.timeout if isinstance(connection.timeout, (int, float)) else default


@contextmanager
def _in_time(stop: Callable[[], object], seconds: float, late: Exception) -> Iterator[None]:
    """Call `stop` when the block does not end in time, and raise `late` where it then ends."""
    over = threading.Event()

    def cut() -> None:
        over.set()
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # the answer has ended
            stop()

    timer = threading.Timer(min(max(0.0, seconds), threading.TIMEOUT_MAX), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError) as problem:
        if over.is_set():
            raise late from problem
        raise
    finally:
        timer.cancel()
    if over.is_set():
        raise late


def unreachable(host: str, problem: BaseException) -> UnreachableError:
    """The error of a host that gave no answer, from what requests and urllib3 say."""
    said = reason(problem)
    if said.startswith("TLS failed"):
        return UnreachableError(host, said, _TLS, heals="certificate" not in said)
    return UnreachableError(host, said, heals="name or service not known" not in said)


def reason(problem: BaseException) -> str:
    """Why a host gave no answer, as a part of a sentence: `no answer in time`, `cannot be reached
    (connection refused)`.
    """
    inner = _innermost(problem)
    text = f"{type(problem).__name__} {problem} {inner}"
    if isinstance(problem, requests.Timeout) or isinstance(inner, TimeoutError) or _hung(inner):
        return LATE
    why = next((known.lower() for known in _KNOWN if known in text), "") or _words(inner)
    if isinstance(
        problem, (requests.exceptions.SSLError, urllib3.exceptions.SSLError, ssl.SSLError)
    ):
        return f"TLS failed: {why}"
    odd = (http.client.HTTPException, urllib3.exceptions.InvalidHeader)
    if isinstance(inner, odd) and not isinstance(inner, OSError):
        return f"gave an answer that is no HTTP ({why})"
    return f"cannot be reached ({why})"


def _hung(problem: BaseException | None) -> bool:
    """Whether a time limit was reached; urllib3 counts a refused connection among them."""
    return isinstance(problem, (ReadTimeoutError, ConnectTimeoutError)) and not isinstance(
        problem, NewConnectionError
    )


def _innermost(problem: BaseException | None) -> BaseException | None:
    """The error that the others were made of."""
    within = (getattr(problem, "reason", None), *getattr(problem, "args", ()))
    inner = next((one for one in within if isinstance(one, BaseException)), None)
    return _innermost(inner) if inner else problem


def _words(problem: BaseException | None) -> str:
    text = getattr(problem, "strerror", None) or str(problem).rpartition(": ")[2]
    return str(text or type(problem).__name__)[:200]


def _without_secrets(headers: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in headers.items() if k.lower() not in _SECRET_HEADERS}


def _taken_apart(url: str) -> tuple[str, str | None]:
    """A URL without the account in it, and the header `Authorization` that stands for that.

    Raises `LedAstrayError` when it is no http or https URL.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as problem:  # a port that is none
        raise LedAstrayError(f"leads to {shown(url)}, which is no address") from problem
    if not good:
        raise LedAstrayError(f"leads to {shown(url)}, which is neither http nor https")
    account, _, place = parts.netloc.rpartition("@")
    if not account:
        return url, None
    name, _, secret = account.partition(":")
    return parts._replace(netloc=place).geturl(), basic(unquote(name), unquote(secret))


def shown(url: str) -> str:
    """A URL for a message: without a query or credentials, which may be secret."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.netloc:
            return f"{parts.scheme}://{host_of(url)}{parts.path}"
    return url.partition("?")[0].rpartition("@")[2][:200]


def host_of(url: str) -> str:
    """HOST or HOST:PORT of a URL, without credentials."""
    return urlsplit(url).netloc.rpartition("@")[2]


def number(text: str) -> int | None:
    """A count that a server states; None for what is none, or more than any file has."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def readable(count: int) -> str:
    """Bytes as a person reads them: 55.1 MB."""
    value, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
