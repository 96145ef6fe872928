"""One client for every registry: digests, manifests, tags, uploads (blobs.py: whole blobs).

The OCI distribution specification over clients/http. Accounts are Docker's own (keychain.py).
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import IO
from urllib.parse import urljoin, urlsplit

import requests

from bakestone.clients.http.session import (
    LATE,
    MAX_WAIT,
    PASSING,
    BrokenError,
    LedAstrayError,
    Request,
    Session,
    UnreachableError,
    body,
    shown,
    wait,
)
from bakestone.clients.parallel import in_parallel
from bakestone.clients.registry import limits
from bakestone.clients.registry.auth import (
    DELETE,
    PULL,
    PUSH,
    BusyError,
    DeniedError,
    Logins,
    UnfitError,
)
from bakestone.clients.registry.manifest import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    MAX_DOCUMENT,
    Json,
    Manifest,
    check_manifest,
    digest_of,
    document,
    has_digest,
    is_digest,
    media_type,
    said,
)
from bakestone.clients.registry.reference import Reference
from bakestone.clients.site.credentials import origin
from bakestone.clients.site.site import Site
from bakestone.errors import ENVIRONMENT, INPUT, BakestoneError, Finding, fail

__all__ = [
    "INDEX_TYPES",
    "MANIFEST_TYPES",
    "ImmutableTagError",
    "Manifest",
    "Reference",
    "RefusedError",
    "Registry",
]

IDLE = 60
"""Seconds to wait for more of an answer."""
SUCCESS = range(200, 300)
"""Answers that are good; redirects of GET and HEAD were followed, others are not."""
TOTAL = 120
"""Seconds in which a document must have come, tries included."""
TRIES = 3
"""How often a document is asked for that was cut off, and an upload is begun that broke."""
PAUSE = 0.5
"""Seconds between an upload that broke and the next one; then twice as many."""
_ANEW = (404, 416, *PASSING)
"""Answers to an upload that its registry forgot, or has half of, or cannot take at the moment."""
LOGINS = 4
"""How often one request is sent: without a login, with one, with a renewed one, and once more."""
_ACCEPT = ", ".join((*INDEX_TYPES, *MANIFEST_TYPES))
_ACTIONS = {"GET": PULL, "HEAD": PULL, "DELETE": DELETE}
_FIXED = re.compile(
    r"immutab|already ?exist|overwrit|not allow|disallow|may not be (moved|updated)"
)
"""What registries say of a tag that may not move: docs/registries.md has their words."""
_REFUSED = (400, 405, 406, 415, 422, 501)
"""Answers of a registry that does not take a manifest of this form."""
_BROKEN_PARTS = re.compile(r"manifest_blob_unknown|blob_unknown|manifest_unknown|unknown blob")
_MIRROR = "name a mirror under `mirrors.registries` in the site file"
_BETWEEN = f"is a proxy in between? {_MIRROR.capitalize()}"
_UP = "is it up, and is the address right? `registry` in images.yaml, the site file or --registry"
_OPERATORS = "ask the registry's operators; the answer was altered or cut off"


class ImmutableTagError(BakestoneError):
    """A registry that does not let a tag move."""

    def __init__(self, reference: str, host: str, words: str) -> None:
        message = f"the registry does not let the tag {reference.partition('/')[2]} move"
        message += f": {words[:160]}" if words else ""
        hint = (
            "let its rule spare this tag: fingerprint tags (fp-*) may be immutable, the names and"
            " aliases of images move with each release"
        )
        super().__init__([Finding(message, hint, name=host)], ENVIRONMENT)
        self.reference = reference


class RefusedError(BakestoneError):
    """A registry that does not take a manifest as it is: another form of it may pass."""


class Registry:
    """Reads and writes images. One instance serves every host and repository of a command.

    `warnings` are what a registry could not do, and nothing depends on: by its name and the kind
    of reason.
    """

    def __init__(self, site: Site, session: Session | None = None) -> None:
        self.site = site
        self.session = session or Session(site)
        self._logins = Logins(self.session, site)
        self._contents: dict[str, tuple[str, bytes]] = {}
        self._writable: dict[str, bool] = {}
        self._denying: set[str] = set()
        self._probing = threading.Lock()
        self._headless: set[str] = set()
        self.warnings: dict[tuple[str, type[BakestoneError]], Finding] = {}

    # what is there

    def head(self, reference: str) -> str | None:
        """The digest behind a tag, or None when the registry does not have it.

        Some registries deny a repository that is not there yet: where an upload to it may begin,
        that is None as well.
        """
        place = Reference.parse(reference)
        found = self._peek(place, f"manifests/{place.target}")
        if found is None:
            return None
        stated = found.headers.get("Docker-Content-Digest", "")
        return stated if is_digest(stated) else self.need(reference).digest

    def has_blob(self, reference: str, digest: str) -> bool:
        """Whether the repository of `reference` has a blob."""
        return self._peek(Reference.parse(reference), f"blobs/{digest}") is not None

    def _peek(self, place: Reference, path: str) -> requests.Response | None:
        """What `_look` gives; None as well for what is denied to who may write there. It is asked
        twice before that is believed: a tag that is there would be forgotten.
        """
        for _ in range(2):
            try:
                return self._look(place, path)
            except BakestoneError as problem:
                if not isinstance(problem.__cause__, DeniedError) or not self._is_writable(place):
                    raise
            if place.name in self._denying:
                break
        self._denying.add(place.name)
        return None

    def _look(self, place: Reference, path: str) -> requests.Response | None:
        """The answer to HEAD (GET where that is refused), closed; None for what is not there."""
        methods = ("GET",) if place.host in self._headless else ("HEAD", "GET")
        for method in methods:
            with self._send(place, method, path) as response:
                if response.status_code == 404:
                    return None
                if method == "HEAD" and response.status_code in (405, 501):
                    self._headless.add(place.host)
                    continue
                _good(place, response)
                return response
        return None

    def heads(self, references: Iterable[str]) -> dict[str, str | None]:
        """`head` of many references, in parallel."""
        found: dict[str, str | None] = {}
        for reference, digest in in_parallel(self.head, references):
            if isinstance(digest, BakestoneError):
                raise digest
            found[reference] = digest
        return found

    def manifest(self, reference: str) -> Manifest | None:
        """The manifest or index behind a reference, checked by its digest; None for none."""
        place = Reference.parse(reference)
        found = self._document(place, "manifests", place.target)
        if found is None:
            return None
        stated, raw = found
        try:
            check_manifest(raw)
        except ValueError as problem:
            why = f"gave no manifest for {place.path}: {problem}"
            hint = f"is a proxy or a login page in between? {_MIRROR.capitalize()}"
            raise _wrong(place, why, hint) from problem
        return Manifest(digest_of(raw), media_type(stated, document(raw)), raw)

    def need(self, reference: str) -> Manifest:
        """Like `manifest`, but absence is an error: of a tag the person's, who named it; of a
        digest the registry's, which named it itself or had it before (exit 3).
        """
        manifest = self.manifest(reference)
        if manifest is None:
            known = Reference.parse(reference).digest
            hint = "run it again; does the registry remove what has no tag?"
            raise fail(
                f"{reference} is not in the registry",
                hint if known else "push it first",
                name=reference,
                code=ENVIRONMENT if known else INPUT,
            )
        return manifest

    def config(self, reference: str, manifest: Manifest) -> Json:
        """The image configuration of a single-platform manifest, checked against its digest."""
        place, about = Reference.parse(reference), manifest.config
        try:
            if about is None:
                raise ValueError("it is an index of images")
            found = self._document(place, "blobs", about.digest)
            if found is None:
                raise ValueError("it is not there")
            return document(found[1])
        except ValueError as problem:
            why = f"has no configuration of {place.path}: {problem}"
            raise _wrong(place, why, "push the image again") from problem

    def created(self, reference: str, manifest: Manifest) -> int:
        """When the image of a single-platform manifest was made, in seconds since 1970; 0 where its
        configuration says no time.
        """
        try:
            made = datetime.fromisoformat(str(self.config(reference, manifest).get("created")))
            return max(0, int(made.replace(tzinfo=made.tzinfo or UTC).timestamp()))
        except (ValueError, OverflowError):
            return 0

    def blob(self, reference: str) -> bytes:
        """A small blob `HOST/REPOSITORY@DIGEST`, checked against its digest."""
        place = Reference.parse(reference)
        found = self._document(place, "blobs", place.target)
        if found is None:
            message, hint = f"the registry's blob {reference} is missing", "push the image again"
            raise fail(message, hint, name=place.host, code=ENVIRONMENT)
        return found[1]

    # what is written

    def push_manifest(self, reference: str, raw: bytes, media_type: str) -> str:
        """Bring a manifest or index under the tag or digest of `reference`. Gives its digest.

        Raises `ImmutableTagError` when the tag is on another one, and may not move, and
        `RefusedError` for a form that the registry does not take.
        """
        return self.put_manifest(reference, raw, media_type)[0]

    def put_manifest(self, reference: str, raw: bytes, media_type: str) -> tuple[str, str]:
        """Like `push_manifest`; gives the digest, and the subject under which the registry lists
        it by itself (its header OCI-Subject), or nothing.
        """
        place, digest = Reference.parse(reference), digest_of(raw)
        headers = {"Content-Type": media_type}
        path = f"manifests/{place.target}"
        with self._send(place, "PUT", path, data=raw, headers=headers) as response:
            status = response.status_code
            if status == 201:
                stated = response.headers.get("Docker-Content-Digest", digest)
                if has_digest(raw, stated):
                    return digest, response.headers.get("OCI-Subject", "")
                why = f"made another digest of {place.path}: {stated}"
                raise _wrong(place, why[:200], _OPERATORS)
            words = said(response)
            refused = _unexpected(place, response, words)
        if not place.digest and status in (400, 405, 409, 412):
            there = self.head(reference)
            if there == digest:  # it need not move
                return digest, ""
            if there and (status != 400 or _FIXED.search(words.lower())):
                raise ImmutableTagError(reference, place.host, words)
        parts = _BROKEN_PARTS.search(words.lower())
        if media_type in INDEX_TYPES and status in _REFUSED and not parts:
            hint = "--no-attest publishes images without attestations, which need none"
            why = f"takes no index of images ({status})" + (f": {words[:160]}" if words else "")
            refused = _wrong(place, why, hint)
        if status == 404:
            refused = _absent(place)
        if status in _REFUSED:
            raise RefusedError(refused.findings, refused.code)
        raise refused

    def tag(self, source: str, tag: str) -> str:
        """Point a tag at what `source` is, inside one repository. Gives the digest."""
        manifest = self.need(source)
        place = Reference.parse(source).tagged(tag)
        return self.push_manifest(str(place), manifest.raw, manifest.media_type)

    def delete_tag(self, reference: str) -> None:
        """Take a tag away; what it was on stays. One that is not there is no error.

        Raises `BakestoneError` (exit 3), also when the registry deletes no tags.
        """
        place = Reference.parse(reference)
        if not place.tag or place.digest:  # a digest's DELETE takes every tag along
            raise fail(f"{reference} is no tag", "HOST/REPOSITORY:TAG", name=place.host)
        with self._send(place, "DELETE", f"manifests/{place.tag}") as response:
            status, words = response.status_code, said(response)
            if status in (200, 202, 204, 404):
                return
        if status in (400, 405, 501):
            hint = (
                f"delete {place.path} with the registry's own tools; deleting its digest would take"
                " every other tag of the image as well"
            )
            raise _wrong(place, f"deletes no tags ({status})", hint)
        raise _unexpected(place, response, words)

    def probe(self, repository: str) -> None:
        """Ask for the rights that publishing needs: an upload is begun and given up; no blob is
        stored.

        Raises `BakestoneError` (exit 3) when the registry does not give them.
        """
        place = Reference.parse(repository)
        self._cancel(place, self._begin(place))

    def _is_writable(self, place: Reference) -> bool:
        """Whether an upload may begin; asked once for each repository."""
        with self._probing:
            if place.name not in self._writable:
                try:
                    self.probe(place.name)
                    self._writable[place.name] = True
                except BakestoneError as problem:
                    if isinstance(problem.__cause__, UnreachableError | BusyError):
                        raise
                    self._writable[place.name] = False
            return self._writable[place.name]

    def upload(self, reference: str, stream: IO[bytes], digest: str, size: int) -> None:
        """Send a blob in one request (OCI distribution specification, "POST then PUT").

        One that breaks, or whose login is refused on the way, is begun anew: what its registry kept
        of it is not known.
        """
        place, start = Reference.parse(reference), stream.tell()
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        data = stream if size else b""  # of an empty one requests makes pieces, and a length

        def begun() -> str:
            stream.seek(start)
            url = self._begin(place)
            return f"{url}{'&' if '?' in url else '?'}digest={digest}"

        for attempt in range(TRIES):
            pause = PAUSE * 2**attempt
            try:
                with self._send(place, "PUT", begun, data=data, headers=headers) as response:
                    if response.status_code == 201:
                        return
                    pause = wait(response) or pause
                    heals = response.status_code in _ANEW and pause <= MAX_WAIT
                    problem = _unexpected(place, response, said(response))
            except BakestoneError as found:
                problem, cause = found, found.__cause__
                heals = isinstance(cause, UnreachableError) and cause.heals and cause.reason != LATE
                if isinstance(cause, BusyError):
                    pause = wait(cause.response) or pause
                    heals = pause <= MAX_WAIT
            if not heals or attempt == TRIES - 1:
                raise problem
            time.sleep(pause)

    def _begin(self, place: Reference) -> str:
        """Begin an upload. Gives the URL that takes it (its Location, RFC 9110)."""
        with self._send(place, "POST", "blobs/uploads/") as response:
            if response.status_code == 404:
                raise _absent(place)
            _good(place, response)
            given = response.headers.get("Location", "")
        try:
            url = urljoin(response.url, given).partition("#")[0]
            plain = self._logins.base(place).startswith("http://")
            secure = not given or origin(url)[0] == "https" or plain
            hidden = urlsplit(url).username is not None
        except ValueError:
            given = ""
        if not given or hidden:
            why = f"gave no place for an upload to {place.repository}"
            raise _wrong(place, why, "is a proxy in between that drops the header Location?")
        if not secure:
            why = "wants the upload over plain http"
            hint = "its proxy must pass X-Forwarded-Proto on, or the registry give relative URLs"
            raise _wrong(place, why, hint)
        return url

    def _cancel(self, place: Reference, url: str) -> None:
        """Give an upload up. Some registries do not take it back; they forget it by themselves.

        On another host there may be anything under that URL: nothing is deleted there.
        """
        if self._logins.is_of(place, url):
            with contextlib.suppress(BakestoneError):
                self._send(place, "DELETE", url).close()

    # requests

    def open_blob(self, place: Reference) -> requests.Response:
        """The answer with a reference's blob, its body unread and unchecked: use it in a `with`."""
        response = self._send(place, "GET", f"blobs/{place.digest}")
        if response.status_code in SUCCESS:
            return response
        with response:
            if response.status_code == 404:
                message = f"the registry has no blob {place.digest} of {place.repository}"
                raise fail(message, "push the image again", name=place.host, code=ENVIRONMENT)
            raise _unexpected(place, response, said(response))

    def _send(
        self,
        place: Reference,
        method: str,
        path: str | Callable[[], str],
        *,
        data: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """One request, with as many logins as it takes; a `path` that is called is another one each
        time. Raises `BakestoneError` for no answer, and for who is not let in (401, 403).
        """
        actions = _ACTIONS.get(method, PUSH)
        try:
            for attempt in range(LOGINS):
                url = self._url(place, path if isinstance(path, str) else path())
                login = self._logins.authorization(place, actions, url)
                sent = {"Accept": _ACCEPT, **(headers or {})}
                response = self.session.send(Request(method, url, sent, data, login, idle=IDLE))
                status = response.status_code
                if status == 429:
                    raise BusyError(response)
                if status not in (401, 403):
                    return response
                with response:
                    narrow = "insufficient_scope" in response.headers.get("WWW-Authenticate", "")
                    if status == 403 and not narrow:
                        break
                    self._logins.refused(place, actions, login, response, again=attempt > 0)
            raise DeniedError(status)
        except (BusyError, DeniedError, LedAstrayError, UnfitError, UnreachableError) as problem:
            raise _unanswered(place, problem) from problem

    def _url(self, place: Reference, path: str) -> str:
        try:
            url = urljoin(f"{self._logins.base(place)}/v2/{place.repository}/", path)
            origin(url)
        except ValueError as problem:
            message = f"{place.name[:200]} is no address of a registry's repository"
            raise fail(message, "HOST[:PORT]/PATH", name=place.host[:100]) from problem
        return url

    def _document(self, place: Reference, kind: str, target: str) -> tuple[str, bytes] | None:
        """Media type and checked bytes, None for 404. What has a digest is asked for once."""
        key = f"{kind}/{place.name}@{target}"
        if key in self._contents:
            return self._contents[key]
        found = self._whole(place, f"{kind}/{target}")
        if found is None:
            return None
        response, raw = found
        digest, stated = digest_of(raw), response.headers.get("Docker-Content-Digest")
        if not all(has_digest(raw, said) for said in (stated, target) if said and ":" in said):
            what = "manifest" if kind == "manifests" else "blob"
            name = f"{place.name}{'@' if ':' in target else ':'}{target}"
            message = f"the registry's {what} of {name} does not have its digest"
            raise fail(message, _OPERATORS, name=place.host, code=ENVIRONMENT)
        kept = response.headers.get("Content-Type", "").partition(";")[0], raw
        self._contents[f"{kind}/{place.name}@{digest}"] = kept
        return kept

    def _whole(self, place: Reference, path: str) -> tuple[requests.Response, bytes] | None:
        """Answer and body of a small document, None for 404; one that was cut is asked again."""
        end = time.monotonic() + TOTAL
        for attempt in range(1, TRIES + 1):
            with self._send(place, "GET", path) as response:
                if response.status_code == 404:
                    return None
                _good(place, response)
                try:
                    return response, body(response, MAX_DOCUMENT, end)
                except BrokenError as problem:
                    if attempt == TRIES or not problem.heals or time.monotonic() > end:
                        message = f"the answer of the registry {place.host} for {place.repository}"
                        why = f"{message} is of no use: {problem}"
                        hint = f"try again, or {_MIRROR}"
                        raise fail(why, hint, name=place.host, code=ENVIRONMENT) from problem
            time.sleep(0.2 * attempt)
        return None


def _wrong(place: Reference, why: str, hint: str) -> BakestoneError:
    """A registry that does not do what it should: `why` goes on from its name."""
    return fail(f"the registry {place.host} {why}", hint, name=place.host, code=ENVIRONMENT)


def _good(place: Reference, response: requests.Response) -> None:
    if response.status_code not in SUCCESS:
        raise _unexpected(place, response, said(response))


def _unexpected(place: Reference, response: requests.Response, words: str) -> BakestoneError:
    status, hint = response.status_code, "try again; see the registry's log"
    if 300 <= status < 400 and "Location" in response.headers:
        words = f"it leads to {shown(response.headers['Location'])}"
        hint = "name the registry by the address that it leads to; no upload is sent after it"
    because = f": {words[:200]}" if words else ""
    return _wrong(place, f"answered {status} for {place.repository}{because}", hint)


def _absent(place: Reference) -> BakestoneError:
    message = f"the registry takes no uploads to {place.repository}"
    return fail(message, limits.missing(place), name=place.host, code=ENVIRONMENT)


def _unanswered(place: Reference, problem: Exception) -> BakestoneError:
    """Why a registry gave no answer that is of use, in words for people."""
    hint = _BETWEEN
    match problem:
        case DeniedError():
            why = f" refuses access to {place.repository} ({problem.status})"
            hint = f"log in with `docker login {place.host}`, or check the account's rights"
        case BusyError():
            seconds = wait(problem.response)
            problem.response.close()
            why = " takes no more requests for now (429)"
            why += f": it asks to wait {seconds:.0f} seconds" if seconds else ""
            hint = (
                f"wait, log in with `docker login {place.host}` (an account may ask more often), or"
                f" {_MIRROR}"
            )
        case UnfitError():
            why = f" asks for a login in a way that cannot be followed: {problem}"
        case UnreachableError():
            here = problem.host in (place.server, place.host)
            why = "" if here else f" needs {problem.host}, which"
            why += " " if problem.reason.startswith(("cannot", "gave")) else ": "
            why += problem.reason
            hint = problem.hint if problem.reason.startswith("TLS") else _UP
        case _:
            why = f" cannot be followed: {problem}"
    return fail(f"the registry {place.server}{why}", hint, name=place.server, code=ENVIRONMENT)
