"""Logins at registries: HTTP Basic, and tokens of a token service (Bearer).

As the distribution project specifies them (spec/auth: token, oauth, scope), and RFC 9110.

A secret goes to the origin (scheme, host, port) that it is for, and to the token service that this
origin names; nowhere else, whatever a redirect or an upload's Location says.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests

from bakestone.clients.http.session import BrokenError, Request, Session, body, host_of
from bakestone.clients.registry.keychain import Account, account
from bakestone.clients.registry.reference import Reference
from bakestone.clients.site.credentials import origin
from bakestone.clients.site.site import Site
from bakestone.errors import BakestoneError

PULL, PUSH, DELETE = ("pull",), ("pull", "push"), ("delete",)
"""What a request needs of a repository (spec/auth/scope)."""
TOKEN_LIFE = 60
"""Seconds that a token lives when its service does not say (spec/auth/token)."""
MAX_LIFE = 3600
"""Seconds after which a token is renewed, whatever its service says."""
MAX_ANSWER = 2**18
"""Bytes of a token service's answer; the longest tokens have some ten thousand."""
MAX_HEADER = 2**14
"""Characters of challenges that are looked at."""
SERVICE_TIME = 60
"""Seconds in which a token service's answer must have come whole."""
CLIENT = "bakestone"
"""How this program names itself to token services."""

_ITEM = re.compile(
    r"""
    (?P<name>[\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]*))
    |(?P<word>[^\s,]+)""",
    re.VERBOSE,
)
_ACTIONS = {"pull", "push", "delete", "*"}
_TOKEN = re.compile(r"[!-~]+")


class DeniedError(Exception):
    """A registry, or its token service, lets this account not in; `status` is what it answered."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class UnfitError(Exception):
    """A login that cannot be followed, with the reason in words."""


class BusyError(Exception):
    """A token service that answers 429."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__("429")
        self.response = response


@dataclass(frozen=True)
class Challenge:
    """One way to log in that a header WWW-Authenticate offers; names in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def challenges(header: str) -> list[Challenge]:
    """All ways that a header offers (several headers are joined by commas); what cannot be
    understood is left out.

    Values may stand without quotes, and a scope's actions then have commas between them.
    """
    found: list[Challenge] = []
    parameters: dict[str, str] = {}
    last = ""
    for match in _ITEM.finditer(header[:MAX_HEADER]):
        name, word = match["name"], match["word"]
        if word in _ACTIONS and last == "scope":
            parameters["scope"] += f",{word}"
        elif word:
            parameters, last = {}, ""
            found.append(Challenge(word.lower(), parameters))
        elif found:
            quoted, name = match["quoted"], name.lower()
            last = name if quoted is None else ""
            value = match["plain"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters.setdefault(name, value)
    return found


@dataclass(frozen=True)
class _Way:
    """How a registry wants to be logged in at: `realm` is empty for HTTP Basic."""

    realm: str = ""
    service: str = ""

    def request(self, who: Account | None, refresh: str, scopes: tuple[str, ...]) -> Request:
        """What is asked of a token service, by a refresh token or a name and a password, or for
        nobody (spec/auth/oauth, spec/auth/token).
        """
        service = [("service", self.service)] if self.service else []
        if refresh:  # it is in the body: no redirect is followed
            words = [("grant_type", "refresh_token"), *service, ("client_id", CLIENT)]
            words += [("scope", " ".join(scopes)), ("refresh_token", refresh)]
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            data = urlencode(words).encode()
            return Request("POST", self.realm, headers, data, authorization="", follow=False)
        parts = urlsplit(self.realm)
        words = [*parse_qsl(parts.query), *service, *(("scope", scope) for scope in scopes)]
        url = parts._replace(query=urlencode(words), fragment="").geturl()
        return Request("GET", url, authorization=who.basic if who else "")


@dataclass(frozen=True)
class _Grant:
    """A header, until when it is good (`time.monotonic`), and the scopes that it is for."""

    header: str
    until: float
    scopes: tuple[str, ...]


_Key = tuple[str, str, tuple[str, ...]]


class Logins:
    """What registries were told and gave, for all threads of one client.

    Each repository has a token for reading and one for writing: services may refuse the second to
    who may have the first.
    """

    def __init__(self, session: Session, site: Site) -> None:
        self._session = session
        self._site = site
        self._ways: dict[str, _Way] = {}
        self._grants: dict[_Key, _Grant] = {}
        self._accounts: dict[str, Account | BakestoneError | None] = {}
        self._refresh: dict[str, str] = {}
        self._locks: dict[object, threading.Lock] = {}

    def authorization(self, place: Reference, actions: tuple[str, ...], url: str) -> str:
        """The header `Authorization` of a request that needs these rights: empty for none, and for
        another host, where an upload's Location may lead. A token that is too old is renewed first,
        since a stream cannot always be sent twice.
        """
        key = (place.host, place.repository, actions)
        way = self._ways.get(place.host)
        if way is None or not self.is_of(place, url):
            return ""
        with self._lock(key):
            grant = self._grants.get(key)
            if grant is None or time.monotonic() > grant.until:
                grant = self._granted(place, actions, way, grant.scopes if grant else ())
                self._grants[key] = grant
        return grant.header

    def refused(
        self,
        place: Reference,
        actions: tuple[str, ...],
        used: str,
        response: requests.Response,
        *,
        again: bool,
    ) -> None:
        """Learn from an answer 401 (or 403, where a token's scope is too narrow) to a request with
        the header `used`. Returns when another try may go well; `again` says that this was one.

        Raises `DeniedError`, `UnfitError`.
        """
        denied = DeniedError(response.status_code)
        if not self.is_of(place, response.url):  # a redirect's target asks: it gets nothing
            raise denied
        way, scope = self._fitting(place, response.headers.get("WWW-Authenticate", ""))
        key = (place.host, place.repository, actions)
        with self._lock(key):
            grant = self._grants.get(key)
            if grant and way == self._ways.get(place.host) and grant.header != used:
                return  # another thread was here first
            known = grant.scopes if grant else ()
            scopes = merged(*known, scope)
            if again and grant and scopes == known and time.monotonic() <= grant.until:
                raise denied  # the token was made for this, and is not believed
            made = self._granted(place, actions, way, scopes)
            if made.header == used:
                raise denied
            self._grants[key], self._ways[place.host] = made, way

    def base(self, place: Reference) -> str:
        """The URL of the API of a reference's registry."""
        scheme = "http" if self._site.plain_http(place.host) else "https"
        return f"{scheme}://{place.server}"

    def is_of(self, place: Reference, url: str) -> bool:
        """Whether a URL is one of a reference's registry, which alone may get its secrets."""
        return origin(url) == origin(self.base(place))

    def _fitting(self, place: Reference, header: str) -> tuple[_Way, str]:
        """The way to log in, of those that are offered, and the scope that was asked for."""
        offered = challenges(header)
        if not offered:
            raise DeniedError(401)
        unfit = None
        for challenge in offered:
            if challenge.scheme == "bearer":
                try:
                    realm = self._realm(place, challenge.parameters.get("realm", ""))
                except UnfitError as problem:
                    unfit = problem
                    continue
                way = _Way(realm, challenge.parameters.get("service", ""))
                return way, challenge.parameters.get("scope", "")
        if any(challenge.scheme == "basic" for challenge in offered):
            return _Way(), ""
        raise unfit or UnfitError(f"`{header[:60]}` is neither Basic nor Bearer")

    def _realm(self, place: Reference, realm: str) -> str:
        """The token service's URL, when a secret may go there: over https, on this machine, or in
        plain http where the registry itself is spoken to like that.
        """
        try:
            parts, (scheme, host, _) = urlsplit(realm), origin(realm)
        except ValueError as problem:
            raise UnfitError("its token service has no URL") from problem
        if parts.username is not None or parts.password is not None:
            raise UnfitError("the URL of its token service has an account in it")
        plain = self.base(place).startswith("http://")
        local = Site().plain_http(f"[{host}]" if ":" in host else host)
        same = origin(realm)[:2] == origin(self.base(place))[:2]
        if scheme == "http" and not (
            local or (plain and (same or self._site.plain_http(parts.netloc)))
        ):
            raise UnfitError(f"its token service {host_of(realm)} is not encrypted")
        return realm

    def _granted(
        self, place: Reference, actions: tuple[str, ...], way: _Way, scopes: tuple[str, ...]
    ) -> _Grant:
        who = self._account(place.host)
        if who and who.bearer:
            return _Grant(f"Bearer {who.bearer}", float("inf"), ())
        if not way.realm:
            if who is None or not who.basic:
                raise DeniedError(401)
            return _Grant(who.basic, float("inf"), ())
        scopes = merged(f"repository:{place.repository}:{','.join(actions)}", *scopes)
        began = time.monotonic()
        data = self._asked(place, way, who, scopes)
        token = data.get("token") or data.get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise UnfitError("its token service gave no token")
        life = data.get("expires_in", TOKEN_LIFE)
        if isinstance(life, bool) or not isinstance(life, int | float):
            life = TOKEN_LIFE
        # a tenth earlier, so that it does not end on the way
        return _Grant(f"Bearer {token}", began + 0.9 * max(0, min(life, MAX_LIFE)), scopes)

    def _asked(
        self, place: Reference, way: _Way, who: Account | None, scopes: tuple[str, ...]
    ) -> Mapping[str, object]:
        """What the token service says: a JSON object."""
        refresh = self._refresh.get(place.host) or (who.refresh if who else "")
        with self._session.send(way.request(who, refresh, scopes)) as response:
            status = response.status_code
            if status == 429:
                raise BusyError(response)
            if status in (400, 401, 403):  # 400: oauth's word for a refresh token that is not good
                raise DeniedError(401 if status == 400 else status)
            if status != 200:
                raise UnfitError(f"its token service {host_of(way.realm)} answers {status}")
            try:
                data = json.loads(body(response, MAX_ANSWER, time.monotonic() + SERVICE_TIME))
            except BrokenError as problem:
                raise UnfitError(f"the answer of its token service: {problem}") from problem
            except (ValueError, RecursionError) as problem:
                raise UnfitError("its token service's answer is not JSON") from problem
        if not isinstance(data, dict):
            raise UnfitError("its token service's answer is not a JSON object")
        again = data.get("refresh_token")
        if refresh and isinstance(again, str) and again:
            self._refresh[place.host] = again
        return data

    def _account(self, host: str) -> Account | None:
        with self._lock(host):
            if host not in self._accounts:
                try:
                    self._accounts[host] = account(host)
                except BakestoneError as problem:  # a helper that hangs is asked once
                    self._accounts[host] = problem
            found = self._accounts[host]
        if isinstance(found, BakestoneError):
            raise BakestoneError(found.findings, found.code) from found
        return found

    def _lock(self, key: object) -> threading.Lock:
        return self._locks.setdefault(key, threading.Lock())


def merged(*scopes: str) -> tuple[str, ...]:
    """Scopes (a text may hold several), each resource once with all of its actions, in order."""
    found: dict[str, list[str]] = {}
    for scope in (one for text in scopes for one in text.split()):
        resource, _, actions = scope.rpartition(":")
        known = found.setdefault(resource, [])
        known += [action for action in actions.split(",") if action and action not in known]
    return tuple(f"{resource}:{','.join(actions)}" for resource, actions in found.items())
