"""For all tests: those below e2e/ get the marker `e2e` and run last: quick ones fail first."""

from __future__ import annotations

import gc
import pickle
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakestone.core.documents import yaml as yamldoc
from bakestone.core.documents.yaml import Json

E2E = Path(__file__).parent / "e2e"


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell ignores it for what runs in the background, and what tests start would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--refresh-golden",
        action="store_true",
        help="write the golden files instead of comparing with them",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(E2E):
            item.add_marker(pytest.mark.e2e)
    items.sort(key=lambda item: item.path.is_relative_to(E2E))


def pytest_collection_finish() -> None:
    """What is there when the first test begins is there to the end: a sixth of the time went into
    looking through it again and again for something to throw away.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True, scope="session")
def each_text_of_the_library_is_parsed_once() -> Iterator[None]:
    """A thousand commands of one process read the same components; each gets data of its own."""
    parsed: dict[str | bytes, bytes] = {}
    parse = yamldoc.fast_text

    def once(text: str | bytes) -> Json:
        if text not in parsed:
            parsed[text] = pickle.dumps(parse(text))
        data: Json = pickle.loads(parsed[text])  # noqa: S301 - made here
        return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yamldoc, "fast_text", once)
        yield
