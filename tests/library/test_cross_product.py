"""Everything that the rules allow is rendered, and the parsers of hadolint and sh accept all of it.

Versions that nothing in the library tells apart stand for one another here; each of them alone is in test_every_version.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from generator.library import Library
from generator.variant import Chosen, Variant, slot_rank

from .combinations import Finder, Kinds, Slots, everything
from .dockerfiles import instructions, parse_errors, scripts, shell_errors
from .rendering import rendered

Record = Callable[[str, object], None]

PRODUCTS = {
    # name -> the slots: `!` is always filled, `*` with every version, `.` with the newest of every minor; and how many variants it has at least
    "cuda": ("distro!* cuda!*", 100),
    "cudnn and nccl": ("distro!* cuda! cudnn nccl", 4000),
    "mpi": ("distro!* mpi!*", 300),
    "mpi with ucx and cuda": ("distro!* cuda ucx mpi!", 2000),
    "conda": ("distro!* conda!*", 500),
    "git": ("distro!* git!*", 300),
    "onnxruntime": ("distro!* conda onnxruntime!", 30),
    "onnxruntime with cuda": ("distro!* cuda!. cudnn!. conda onnxruntime!", 100),
    "tensorrt": ("distro!* cuda!. cudnn! conda tensorrt!", 10),
}
BY_METHOD = [("cuda cudnn nccl", "image"), ("cuda cudnn nccl", "apt"), ("cuda cudnn nccl", "wheel")]
BY_METHOD += [("mpi ucx", "source"), ("mpi ucx", "wheel"), ("mpi", "apt"), ("mpi", "installer"), ("mpi", "archive"), ("git", "apt")]

RANDOM = 20261122
MIXED = 400
"""Combinations over all slots at once, for each of three sets of platforms."""


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_product_that_the_rules_allow_renders(name: str, library: Library, tmp_path: Path, record_property: Record) -> None:
    words, least = PRODUCTS[name]
    finder = Finder(library, tmp_path)
    found = list(finder.product(dict(choices(library, words))))
    assert len(found) >= least
    check(rendered(library, tmp_path, finder, found), tmp_path, record_property)


@pytest.mark.parametrize(("slots", "method"), BY_METHOD)
def test_the_product_renders_by_a_method_that_is_asked_for(
    slots: str, method: str, library: Library, tmp_path: Path, record_property: Record
) -> None:
    components = [component for slot in slots.split() for component in library.of_slot(slot)]
    finder = Finder(library, tmp_path, {component.name: method for component in components if method in component.methods})
    filled = dict(choices(library, "distro!* " + " ".join(slots.split())))
    found = [combination for combination in finder.product(filled) if method in finder.by(combination).values()]
    assert found
    check(rendered(library, tmp_path, finder, found), tmp_path, record_property)


@pytest.mark.parametrize("platforms", ["linux/amd64", "linux/arm64", "linux/amd64 linux/arm64"])
def test_a_mixed_sample_over_all_slots_renders(platforms: str, library: Library, tmp_path: Path, record_property: Record) -> None:
    finder = Finder(library, tmp_path, platforms=platforms.split())
    found = {tuple(chosen.text for chosen in slots.values()): slots for slots in mixed(library, finder)}
    assert {slot for slots in found.values() for slot in slots} == set(library.slots)
    check(rendered(library, tmp_path, finder, found.values()), tmp_path, record_property)


def choices(library: Library, words: str) -> Iterator[tuple[str, list[Chosen | None]]]:
    """What each slot of a product can hold."""
    slots = [word.rstrip("!*.") for word in words.split()]
    kinds = Kinds(library, slots)
    for word, slot in zip(words.split(), slots, strict=True):
        found: list[Chosen | None] = [*(everything(library, slot) if "*" in word else kinds.of(slot))]
        if "." in word:
            newest: dict[tuple[str, str], Chosen] = {}
            for chosen in everything(library, slot):
                newest.setdefault((chosen.component.name, chosen.version.minor), chosen)
            found = [*newest.values()]
        yield slot, found if "!" in word else [None, *found]


def mixed(library: Library, finder: Finder) -> Iterator[Slots]:
    """Combinations that pass, with slots filled one after another by chance; always the same ones for the same library."""
    chance = random.Random(f"{RANDOM} {finder.about}")  # noqa: S311
    order = sorted(library.slots, key=slot_rank)
    count = 0
    while count < MIXED:
        slots: Slots = {}
        for slot in order:
            tried = [chance.choice(everything(library, slot)) for _ in range(8)]
            fitting = [{**slots, slot: chosen} for chosen in tried if slot == "distro" or finder.passes({**slots, slot: chosen})]
            if fitting and (slot == "distro" or chance.random() < 0.7):
                slots = fitting[0]
        if finder.passes(slots):
            count += 1
            yield slots


def check(made: Iterable[tuple[Variant, str]], folder: Path, record: Record) -> None:
    """Parse the Dockerfiles; what they have alike, once."""
    count, distinct = 0, dict[str, None]()
    for variant, text in made:
        count += 1
        parts = list(instructions(text))
        assert "".join(parts) == text, variant.name
        distinct.update(dict.fromkeys(parts))
    shell = dict.fromkeys(scripts(distinct))
    record("variants", count)
    record("Dockerfile instructions, each once", len(distinct))
    record("scripts, each once", len(shell))
    wrong = parse_errors(distinct, folder)
    assert not wrong, "\n".join(wrong[:20])
    wrong = shell_errors(shell, folder)
    assert not wrong, "\n".join(wrong[:20])
