"""Credentials by reference: the site file names a variable or a file, and the secret is read when
it is used.

A secret is in no message and in no `repr`; `Login.hidden` says what else must not be shown.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from bakestone.core.documents.yaml import Document
from bakestone.errors import BakestoneError, Finding, Position

MAX_SECRET = 16_384
"""Bytes of a file with a secret; the longest tokens are a few thousand."""
_WORD = re.compile("[!-~]+")
"""What pip, apt and HTTP's headers all take."""
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class SecretPlace:
    """A secret is in a variable or a file; `where` is its place in the site file."""

    where: Position
    variable: str = ""
    path: Path = Path()

    def read(self) -> str:
        """The secret. Raises `BakestoneError` when it is not there, empty, or not one word."""
        if self.variable:
            name, value = f"the variable {self.variable}", os.environ.get(self.variable, "")
            if not value:
                state = "is empty" if self.variable in os.environ else "is not set"
                hint = "set it before bakestone runs, or refer to a file: {file: PATH}"
                raise self._wrong(f"{name} {state}", hint)
        else:
            name, value = f"the file {self.path}", self._content()
        if not _WORD.fullmatch(value):
            raise self._wrong(
                f"the secret in {name} is not one word of plain characters",
                "is it the right one? ASCII without spaces",
            )
        return value

    def _content(self) -> str:
        try:
            with self.path.open("rb") as stream:
                raw = stream.read(MAX_SECRET + 1)
        except OSError as problem:
            hint = "write the secret there; relative paths start at the site file's folder"
            why = f"the file {self.path} cannot be read: {problem.strerror}"
            raise self._wrong(why, hint) from problem
        if len(raw) > MAX_SECRET:
            raise self._wrong(
                f"the file {self.path} is longer than {MAX_SECRET} bytes",
                "is it the right file? It holds the secret, and nothing else",
            )
        value = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not value:
            raise self._wrong(f"the file {self.path} is empty", "write the secret there")
        return value

    def _wrong(self, message: str, hint: str) -> BakestoneError:
        return BakestoneError([Finding(message, hint, self.where)])


@dataclass(frozen=True)
class _Scoped:
    scope: str
    username: str

    def covers(self, url: str) -> bool:
        """Whether a URL is at or below the scope: the same scheme, host and port, and the beginning
        of its path. A path that climbs (`..`) ends nobody knows where.
        """
        try:
            path = urlsplit(url).path
            climbs = ".." in re.split(r"[/\\]", unquote(path))
            below = not climbs and f"{path}/".startswith(urlsplit(self.scope).path)
            return below and origin(self.scope) == origin(url)
        except ValueError:  # a port that is none, in what a server redirects to
            return False


@dataclass(frozen=True)
class Login(_Scoped):
    """A name and a password, or a token without a `username`, for all below the URL `scope`."""

    secret: str = field(repr=False)

    @property
    def host(self) -> str:
        """The host's name, without a port."""
        return urlsplit(self.scope).hostname or ""

    @property
    def authorization(self) -> str:
        """The header `Authorization`."""
        return basic(self.username, self.secret) if self.username else f"Bearer {self.secret}"

    @property
    def hidden(self) -> tuple[str, ...]:
        """The secret in every form in which a program may show it."""
        return (self.secret, quote(self.secret, safe=""), self.authorization.partition(" ")[2])

    def within(self, url: str) -> str:
        """A URL with name and password in it, for files that are secrets themselves."""
        scheme, _, rest = url.partition("://")
        return f"{scheme}://{quote(self.username, safe='')}:{quote(self.secret, safe='')}@{rest}"


@dataclass(frozen=True)
class Credential(_Scoped):
    """A `Login` whose secret is not yet read; the URL `scope` has a slash at its end."""

    secret: SecretPlace

    def login(self) -> Login:
        """The credential with its secret. Raises `BakestoneError` when that cannot be read."""
        return Login(self.scope, self.username, self.secret.read())


def logins(credentials: Iterable[Credential]) -> tuple[Login, ...]:
    """All with their secrets. Raises `BakestoneError`: a finding for each that cannot be read."""
    found: list[Login] = []
    findings: list[Finding] = []
    for credential in credentials:
        try:
            found.append(credential.login())
        except BakestoneError as problem:
            findings += problem.findings
    if findings:
        raise BakestoneError(findings)
    return tuple(found)


def parse(document: Document, folder: Path) -> tuple[list[Credential], list[Finding]]:
    """The credentials of a file that follows the schema, and what is wrong with them yet."""
    credentials: list[Credential] = []
    findings, hosts = [], set()
    for index, entry in enumerate(document.data.get("credentials", [])):
        where = document.position(("credentials", index))
        problem = _problem(entry)
        if problem:
            findings.append(Finding(*problem, where))
            continue
        scope = entry.get("url") or f"https://{entry['host']}/"
        host = urlsplit(scope).hostname
        if host in hosts:
            hint = "BuildKit knows one for each host name: name one account that may read all of it"
            findings.append(Finding(f"there are two credentials for the host {host}", hint, where))
            continue
        hosts.add(host)
        key = "password" if "password" in entry else "token"
        secret = _secret_place(document, ("credentials", index, key), entry[key], folder)
        credentials.append(Credential(scope, entry.get("username", ""), secret))
    return credentials, findings


def _problem(entry: dict[str, Collection[str]]) -> tuple[str, str] | None:
    key = "password" if "password" in entry else "token"
    rules = (
        (
            ("host" in entry) == ("url" in entry),
            "a credential has either `host` or `url`",
            "host: HOST[:PORT] stands for https://HOST[:PORT]/",
        ),
        (
            "token" in entry and ("username" in entry or "password" in entry),
            "a credential has either a token or a username and a password",
            "a token is sent as it is, without a name",
        ),
        (
            "token" not in entry and not ("username" in entry and "password" in entry),
            "a credential has a username and a password, or a token",
            "password: {env: NAME}, or {file: PATH}",
        ),
        (
            len(entry.get(key, ())) != 1,
            f"{key} has either `env` or `file`",
            "{env: NAME} or {file: PATH}",
        ),
    )
    return next(((message, hint) for wrong, message, hint in rules if wrong), None)


def _secret_place(
    document: Document, path: tuple[str | int, ...], data: dict[str, str], folder: Path
) -> SecretPlace:
    kind = "env" if "env" in data else "file"
    where = replace(document.position((*path, kind)), text="")  # no line of a site file is shown
    if kind == "env":
        return SecretPlace(where, variable=data["env"])
    return SecretPlace(where, path=(folder / data["file"]).resolve())


def basic(username: str, password: str) -> str:
    """The header `Authorization` of HTTP Basic (RFC 7617)."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL: what a secret is bound to.

    Raises `ValueError` for what is no http or https URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"no http or https URL: {url[:80]}")
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]
