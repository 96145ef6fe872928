"""The only module that talks to a registry: digests, manifests, tags (blobs.py: blobs).

OCI distribution over `oras`.

Credentials come from Docker's own configuration (auths, helpers); they are
never read into Bakestone.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from bakestone.clients.http.session import unreachable
from bakestone.clients.registry import manifest as answers
from bakestone.clients.registry.documents import Documents, SilentError, too_many, unfit
from bakestone.clients.registry.documents import Reference as Reference
from bakestone.clients.site.site import Site
from bakestone.errors import ENVIRONMENT, Finding, fail

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ACCEPT = ", ".join((*INDEX_TYPES, *MANIFEST_TYPES))
PARALLEL = 8
"""Requests at a time; registries limit clients by rate, and 8 is what containerd and docker use at
most.
"""
TIMEOUT = (10, 60)
"""Seconds to connect, and to wait for more of an answer."""
GIVE_UP = 3
"""Requests in a row that a host leaves without an answer; the next ones are not sent."""


@dataclass(frozen=True)
class Manifest:
    """A manifest or index as the registry has it."""

    digest: str
    media_type: str
    raw: bytes

    @property
    def data(self) -> dict[str, Any]:
        """The parsed JSON."""
        loaded: dict[str, Any] = json.loads(self.raw)
        return loaded

    @property
    def platforms(self) -> dict[str, str]:
        """Of an index: platform -> manifest digest; attestations are left out."""
        named = (
            (answers.platform(entry.get("platform")), entry["digest"])
            for entry in self.data.get("manifests", [])
        )
        return {platform: digest for platform, digest in named if platform}


class Registry:
    """Reads and tags images. One instance serves every host and repository of a command."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._providers: dict[tuple[str, str], Any] = {}
        self._silent: dict[str, list[SilentError]] = {}
        self._documents = Documents(self.request)
        logging.getLogger("oras").setLevel(logging.CRITICAL)

    def head(self, reference: str) -> str | None:
        """The digest behind a tag, or None when the registry does not have it."""
        response = self.request(
            Reference.parse(reference), "HEAD", f"manifests/{Reference.parse(reference).tag}"
        )
        if response is None:
            return None
        stated = str(response.headers.get("Docker-Content-Digest"))
        return stated if answers.is_digest(stated) else self.need(reference).digest

    def heads(self, references: Iterable[str]) -> dict[str, str | None]:
        """`head` of many references, in parallel."""
        references = list(references)
        with ThreadPoolExecutor(PARALLEL) as pool:
            return dict(zip(references, pool.map(self.head, references), strict=True))

    def manifest(self, reference: str) -> Manifest | None:
        """The manifest or index behind a reference, checked against its digest;

        None when it is not there.
        """
        parsed = Reference.parse(reference)
        found = self._documents.get(parsed, "manifests", parsed.tag)
        if found is None:
            return None
        media_type, raw = found
        try:
            answers.check_manifest(raw)
        except ValueError as problem:
            raise fail(
                f"the registry {parsed.host} gave no manifest for {reference.partition('/')[2]}:"
                f" {problem}",
                "is a proxy or a login page in between? Name a mirror under `mirrors.registries` in"
                " the site file",
                name=parsed.host,
                code=ENVIRONMENT,
            ) from None
        return Manifest("sha256:" + hashlib.sha256(raw).hexdigest(), media_type, raw)

    def config(self, reference: str, manifest: Manifest) -> dict[str, Any]:
        """The image configuration of a single-platform manifest, checked against its digest."""
        parsed = Reference.parse(reference)
        digest = manifest.data["config"]["digest"]
        found = self._documents.get(parsed, "blobs", digest)
        try:
            if found is None:
                raise ValueError("it is not there")
            return answers.document(found[1])
        except ValueError as problem:
            raise fail(
                f"the registry {parsed.host} has no configuration of {reference.partition('/')[2]}:"
                f" {problem}",
                "push the image again",
                name=parsed.host,
                code=ENVIRONMENT,
            ) from None

    def blob(self, reference: str) -> bytes:
        """A small blob `HOST/REPOSITORY@DIGEST`, checked against its digest."""
        parsed = Reference.parse(reference)
        found = self._documents.get(parsed, "blobs", parsed.tag)
        if found is None:
            raise fail(
                f"the registry's blob {reference} is missing",
                "push the image again",
                name=parsed.host,
                code=ENVIRONMENT,
            )
        return found[1]

    def tag(self, source: str, tag: str) -> str:
        """Point a tag at what `source` is, inside one repository. Gives the digest."""
        manifest = self.need(source)
        parsed = Reference.parse(source)
        self.request(
            parsed,
            "PUT",
            f"manifests/{tag}",
            data=manifest.raw,
            headers={"Content-Type": manifest.media_type},
        )
        return manifest.digest

    def need(self, reference: str) -> Manifest:
        """Like `manifest`, but absence is an error."""
        manifest = self.manifest(reference)
        if manifest is None:
            raise fail(f"{reference} is not in the registry", "push it first", name=reference)
        return manifest

    def request(
        self,
        reference: Reference,
        method: str,
        path: str,
        *,
        data: bytes | IO[bytes] | None = None,
        headers: dict[str, str] | None = None,
        stream: bool = False,
    ) -> Any:
        """One request below the reference's repository, or to a whole URL that the registry gave
        (an upload's place).

        `stream` leaves the body to be read from `raw`. None for 404; `BakestoneError` (exit 3) for
        everything that is not an answer.
        """
        silent = self._silent.setdefault(reference.host, [])
        if len(silent) >= GIVE_UP:
            raise silent[-1]
        try:
            response = self._send(reference, method, path, data, headers, stream)
        except SilentError as problem:
            silent.append(problem)
            raise
        silent.clear()
        return response

    def _send(
        self,
        reference: Reference,
        method: str,
        path: str,
        data: bytes | IO[bytes] | None,
        headers: dict[str, str] | None,
        stream: bool,
    ) -> Any:
        import requests

        provider = self._provider(reference)
        host = "registry-1.docker.io" if reference.host == "docker.io" else reference.host
        url = urljoin(f"{provider.prefix}://{host}/v2/{reference.repository}/", path)
        try:
            # below oras' own retry, which waits two minutes for a host that does not exist:
            # `_session` retries what may heal
            # a login that was asked for is sent at once from then on: a stream cannot be sent a
            # second time
            known = (
                getattr(provider.auth, "known", {})
                if url.startswith(f"{provider.prefix}://{host}/")
                else {}
            )
            sent = {"Accept": _ACCEPT, **(headers or {}), **known}
            response = type(provider).do_request.__wrapped__(
                provider, url, method, data=data, headers=sent, stream=stream
            )
        except requests.exceptions.SSLError as problem:
            raise fail(
                f"TLS to {host} failed: {_reason(problem)}",
                "name the CA bundle under `ca` in the site file",
                name=host,
                code=ENVIRONMENT,
            ) from unreachable(host, problem)
        except requests.exceptions.JSONDecodeError:
            raise unfit(host) from None
        except requests.exceptions.RequestException as problem:
            hint = (
                "is it up, and is the address right? `registry` in images.yaml, the site file or"
                " --registry"
            )
            raise SilentError(
                [
                    Finding(
                        f"the registry {host} cannot be reached: {_reason(problem)}",
                        hint,
                        name=host,
                    )
                ],
                ENVIRONMENT,
            ) from unreachable(host, problem)
        except ValueError:
            raise self._denied(host, reference, provider.auth.refused) from None
        if response.status_code == 404:
            return None
        if response.status_code in (401, 403):
            raise self._denied(host, reference, response.status_code)
        if response.status_code == 429:
            raise too_many(host, response)
        if response.status_code >= 300:
            raise fail(
                f"the registry {host} answered {response.status_code} for {reference.repository}:"
                f" {answers.said(response)}".removesuffix(": "),
                "try again; see the registry's log",
                name=host,
                code=ENVIRONMENT,
            )
        return response

    @staticmethod
    def _denied(host: str, reference: Reference, status: int) -> Exception:
        return fail(
            f"the registry {host} refuses access to {reference.repository} ({status})",
            f"log in with `docker login {host}`, or check the account's rights",
            name=host,
            code=ENVIRONMENT,
        )

    def _provider(self, reference: Reference) -> Any:
        key = (reference.host, reference.repository)
        if key not in self._providers:
            from oras.provider import Registry as Provider

            host = "registry-1.docker.io" if reference.host == "docker.io" else reference.host
            ca = self.site.files.get("ca")
            provider = Provider(
                hostname=host,
                insecure=self.site.plain_http(reference.host),
                tls_verify=str(ca) if ca else True,
            )
            _patient(provider.session, self.site)
            provider.auth.prefix = provider.prefix
            provider.auth.authenticate_request = _login(provider.auth)
            provider.auth._auth_config = _docker_config()
            any(provider.auth._load_auth(name) for name in _accounts(reference.host))
            self._providers[key] = provider
        return self._providers[key]


def _patient(session: Any, site: Site) -> None:
    """Time limits, the site's proxies, and retries for answers that may be other ones a moment
    later (429 with Retry-After, 5xx).
    """
    from requests.adapters import HTTPAdapter

    retry = answers.patience()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    session.request = functools.partial(_ask, session.request, site)


def _ask(request: Callable[..., Any], site: Site, method: str, url: str, **options: Any) -> Any:
    return request(
        method,
        url,
        timeout=TIMEOUT,
        **options,
        **({"proxies": site.proxies.choice(url)} if site.proxies else {}),
    )


def _login(auth: Any) -> Callable[..., tuple[dict[str, str], bool]]:
    """oras' login by token, and HTTP Basic for registries that ask for that (htpasswd, Nexus),
    whose realm oras takes for a URL.
    """
    by_token = auth.authenticate_request

    def login(
        refused: Any, headers: dict[str, str], refresh: bool = False
    ) -> tuple[dict[str, str], bool]:
        auth.refused = refused.status_code
        if not refused.headers.get("Www-Authenticate", "").lower().startswith("basic"):
            try:
                answer: tuple[dict[str, str], bool] = by_token(refused, headers, refresh=refresh)
            except (
                AttributeError,
                KeyError,
                TypeError,
                IndexError,
            ):  # what oras does with a challenge or a token that is none
                raise unfit(urlsplit(refused.url).netloc.rpartition("@")[2]) from None
            return answer
        secret = getattr(auth, "_basic_auth", "")
        auth.known = {"Authorization": f"Basic {secret}"} if secret else {}
        return ({**headers, **auth.known}, True) if secret else (headers, False)

    return login


def _docker_config() -> dict[str, Any]:
    """Where `docker login` keeps credentials or names a helper; oras itself does not know
    DOCKER_CONFIG.
    """
    path = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    try:
        loaded = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        loaded = {}
    except (OSError, ValueError) as problem:
        raise fail(
            f"Docker's configuration cannot be read: {problem}",
            "correct it, or log in again",
            name=str(path),
            code=ENVIRONMENT,
        ) from None
    # not empty, or oras reads ~/.docker/config.json as well
    return {
        "auths": loaded.get("auths", {}),
        "credsStore": loaded.get("credsStore"),
        "credHelpers": loaded.get("credHelpers", {}),
    }


def _accounts(host: str) -> tuple[str, ...]:
    """The names under which `docker login` may have kept a host's credentials."""
    if host == "docker.io":
        return ("https://index.docker.io/v1/",)
    return (host, f"https://{host}", f"https://{host}/v2/")


def _reason(problem: Exception) -> str:
    text = str(problem)
    for known in (
        "Connection refused",
        "Name or service not known",
        "Temporary failure in name resolution",
        "timed out",
        "certificate verify failed",
        "No route to host",
    ):
        if known in text:
            return known.lower()
    return text[:160]
