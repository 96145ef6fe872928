"""Files by URL: is each there, with the size that is on record, and is it a file at all?"""

from __future__ import annotations

from bakestone.clients.http import download
from bakestone.clients.http.ask import Answer, Asker
from bakestone.clients.http.session import Session, readable, shown
from bakestone.errors import ENVIRONMENT, BakestoneError
from bakestone.jobs.doctor.report import BROKEN, UNCHECKED, Trouble

MIRROR = "name a mirror that has it under `mirrors.urls` in the site file"
_ANOTHER = f"{MIRROR}, or choose another version"
_START = 512
_PAGES = ("text/html", "application/xhtml+xml")


def check(what: str, url: str, size: int, asker: Asker, sha256: str = "") -> list[Trouble]:
    """What is wrong with the file behind a URL; `size` in bytes, 0 when nobody knows it.

    A server that answers HEAD with the length that is on record says enough; else the first bytes
    are asked for. With a checksum, a file that seems right is downloaded and compared.
    """
    answer = asker.head(url)
    if not answer.good or not size or answer.size is None or answer.kind in _PAGES:
        answer = asker.start(url, _START)
    place = "the server" if shown(answer.url) == shown(url) else shown(answer.url)
    if busy(answer):
        return [later(answer, what)]
    if not answer.good:
        needed = "" if answer.gone else "a login may be needed, which builds have not: "
        return [Trouble(f"{place} answers {answer.said}", needed + _ANOTHER)]
    page = answer.kind in _PAGES or download.is_page(answer.body)
    if page and not download.fits(url, answer.body):
        hint = f"a login or licence page is in between: {_ANOTHER}"
        return [Trouble(f"{place} gives a web page, not the file", hint)]
    if size and answer.size is not None and answer.size != size:
        has = f"{readable(answer.size)} ({answer.size} bytes)"
        why = f"{place} has {has}, the library says {size} bytes: it was replaced or cut"
        return [Trouble(why, f"its checksum will not hold: {_ANOTHER}")]
    return _deep(url, size, asker.session, sha256) if sha256 else []


def busy(answer: Answer) -> bool:
    """Whether a server cannot answer now, which says nothing of what was asked for."""
    return answer.status == 429 or answer.status >= 500


def later(answer: Answer, what: str) -> Trouble:
    """The row of a busy server."""
    said, place = f"answers {answer.said}", answer.place
    return Trouble(said, "try again later", UNCHECKED, place, items=(what,))


def _deep(url: str, size: int, session: Session, sha256: str) -> list[Trouble]:
    """Another checksum is broken; a server that fails meanwhile is not."""
    limits = download.Limits(size=max(size, download.MAX_SIZE))
    try:
        download.fetch(url, session, limits, checksum=sha256)
    except BakestoneError as problem:
        found = problem.findings[0]
        if problem.code == ENVIRONMENT:
            return [Trouble(found.message, found.hint, UNCHECKED)]
        return [Trouble(found.message, _ANOTHER, BROKEN)]
    return []
