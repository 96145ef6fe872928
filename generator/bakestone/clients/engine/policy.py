"""BuildKit's source policy: mirrors, and what a build may fetch at all.

Pure; the engine hands it over as a file.

The Dockerfile and its cache key stay as they are; a digest or `ADD --checksum` is verified as
without mirrors. BuildKit takes the first CONVERT that changes a source, then begins anew with the
changed one; of DENY and ALLOW the last that matches counts (read in 0.25, and measured).
"""

from __future__ import annotations

from collections.abc import Iterable

from bakestone.clients.site.site import Site
from bakestone.core.lock.lock import Lock

Policy = dict[str, list[dict[str, object]]]
"""A source policy, in BuildKit's own JSON: `rules`."""
IMAGE = "docker-image://"
_ANY = "@sha256:*"


def source_policy(site: Site, sources: Iterable[str] | None = None) -> Policy | None:
    """The policy for a site's mirrors; with `sources` (`locked_sources`), it denies all others.

    None when there is nothing to say.
    """
    pairs = [(f"{IMAGE}{a}/*", f"{IMAGE}{b}/${{1}}") for a, b in site.registries.items()]
    pairs += [(f"{a}*", f"{b}${{1}}") for a, b in site.urls.items()]
    rules: list[dict[str, object]] = [
        {"action": "CONVERT", "selector": _selector(a), "updates": {"identifier": b}}
        for a, b in sorted(pairs, key=lambda pair: (-len(pair[0]), pair))
    ]
    if sources is not None:
        allowed = ["local://*", *sorted({_mirrored(site, source) for source in sources})]
        rules.append({"action": "DENY", "selector": _selector("*")})
        for source in allowed:
            rules.append({"action": "ALLOW", "selector": _selector(source)})
    return {"rules": rules} if rules else None


def locked_sources(lock: Lock) -> list[str]:
    """Everything that Dockerfiles made from a lock fetch by BuildKit: base images, files, keys of
    vendors' repositories.

    A base without a digest is allowed as whatever its tag is.
    """
    sources = []
    for ref, base in lock.bases.items():
        ends = [f"@{base.digest}"] if base.digest else ["", _ANY]
        sources += [f"{IMAGE}{ref}{end}" for end in ends]
    return [*sources, *lock.artifacts, *(keyring.url for keyring in lock.keyrings.values())]


def names(site: Site, source: str) -> list[str]:
    """How a Dockerfile may name what BuildKit fetches: by each prefix that has its mirror there,
    the likeliest first; then as it is.
    """
    mirrors, end = (site.registries, "/") if source.startswith(IMAGE) else (site.urls, "")
    name = source.removeprefix(IMAGE)
    fitting = [pair for pair in mirrors.items() if name.startswith(pair[1] + end)]
    fitting.sort(key=lambda pair: -len(pair[1]))
    return [*(prefix + name[len(target) :] for prefix, target in fitting), name]


def _mirrored(site: Site, source: str) -> str:
    if source.startswith(IMAGE):
        return IMAGE + site.mirror(source.removeprefix(IMAGE))
    return site.mirror_url(source)


def _selector(identifier: str) -> dict[str, str]:
    wildcard = identifier in ("*", "local://*") or identifier.endswith(("/*", _ANY))
    return {"identifier": identifier, "match_type": "WILDCARD" if wildcard else "EXACT"}
