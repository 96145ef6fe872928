"""Files by URL: is each there, with the size that is on record, and is it a file at all?"""

from __future__ import annotations

from bakestone.clients.http import download
from bakestone.clients.http.ask import Answer, Asker
from bakestone.clients.http.session import Session, readable, shown
from bakestone.errors import ENVIRONMENT, BakestoneError
from bakestone.jobs.doctor.report import UNCHECKED, Trouble

_START = 512
_PAGES = ("text/html", "application/xhtml+xml")
_MIRROR = (
    "name a mirror that has it under `mirrors.urls` in the site file, or choose another version"
)


def check(kind: str, url: str, size: int, asker: Asker, *, name: str = "") -> list[Trouble]:
    """What is wrong with the file behind a URL; `size` in bytes, 0 when nobody knows it.

    A server that answers HEAD with the length that is on record says enough; else the first bytes
    are asked for.
    """
    what = name or shown(url)
    answer = asker.head(url)
    if not answer.good or not size or answer.size is None or answer.kind in _PAGES:
        answer = asker.start(url, _START)
        if (
            answer.good
            and (answer.kind in _PAGES or download.is_page(answer.body))
            and not download.fits(url, answer.body)
        ):
            why = f"{_where(url, answer)} gives a web page, not the file"
            return [Trouble(kind, what, why, f"a login or licence page is in between: {_MIRROR}")]
    if not answer.good:
        return [_refused(kind, what, url, answer)]
    if size and answer.size is not None and answer.size != size:
        why = (
            f"{_where(url, answer)} has {readable(answer.size)} ({answer.size} bytes), the library"
            f" says {size} bytes: it was replaced or cut"
        )
        return [Trouble(kind, what, why, f"its checksum will not hold: {_MIRROR}")]
    return []


def _refused(kind: str, what: str, url: str, answer: Answer) -> Trouble:
    if answer.status == 429 or answer.status >= 500:
        hint = "try again later"
        return Trouble(kind, answer.place, f"answers {answer.said}", hint, UNCHECKED, items=(what,))
    why = f"{_where(url, answer)} answers {answer.said}"
    hint = _MIRROR if answer.gone else f"a login may be needed, which builds have not: {_MIRROR}"
    return Trouble(kind, what, why, hint)


def deep(
    kind: str, url: str, checksum: str, size: int, session: Session, *, name: str = ""
) -> list[Trouble]:
    """Download the file and compare its checksum.

    Another one is broken; a server that fails meanwhile is not.
    """
    limits = download.Limits(size=max(size, download.MAX_SIZE))
    try:
        download.fetch(url, session, limits, checksum=checksum)
    except BakestoneError as problem:
        found = problem.findings[0]
        if problem.code == ENVIRONMENT:
            return [Trouble(kind, name or shown(url), found.message, found.hint, UNCHECKED)]
        return [Trouble(kind, name or shown(url), found.message, _MIRROR)]
    return []


def _where(url: str, answer: Answer) -> str:
    """Who answered, when a mirror or a redirect led to another place."""
    return "the server" if shown(answer.url) == shown(url) else shown(answer.url)
