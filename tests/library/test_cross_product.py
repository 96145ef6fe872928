"""Everything that the rules allow is rendered, and the parsers of hadolint and sh accept all of it.

Versions that nothing in the library tells apart stand for one another here; each of them alone is
in test_every_version.py.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.core.matrix.variant import Chosen, Variant, slot_rank
from tests.library.combinations import Finder, Kinds, Slots, everything
from tests.library.dockerfiles import (
    alike,
    instructions,
    parse_errors,
    pieces,
    scripts,
    shell_errors,
)
from tests.library.rendering import rendered

Record = Callable[[str, object], None]

PRODUCTS = {
    # name -> the slots in the order of the search: `!` is always filled, `*` with every version,
    # `.` with the newest of
    # every minor; and how many variants it has at least
    "cuda": ("distro!* cuda!*", 100),
    "cudnn and nccl": ("distro!* cuda!: cudnn nccl", 4000),
    "cudnn with minors of cuda": ("distro!* cuda!. cudnn", 1000),
    "mpi": ("distro!* mpi!*", 300),
    "mpi with ucx and cuda": ("distro!* cuda ucx mpi!", 2000),
    "conda": ("distro!* conda!*", 500),
    "git": ("distro!* git!*", 300),
    "onnxruntime": ("onnxruntime! distro!* conda", 30),
    # of cuDNN, its rules look at the major alone: with minors it is in "cudnn with minors of cuda"
    "onnxruntime with cuda": ("onnxruntime! distro!* cuda!. cudnn!:", 1500),
    "onnxruntime with cuda and conda": ("onnxruntime! distro!* conda! cuda!: cudnn!:", 1000),
    "rocm": ("distro!* rocm!* conda", 10),
    "tensorrt": ("tensorrt! distro!* conda cuda!. cudnn!.", 100),
}
BY_METHOD = [
    ("cuda cudnn nccl", "image"),
    ("cuda. cudnn. nccl.", "apt"),  # most minors of one major go together
    ("cuda: cudnn nccl", "wheel"),
    ("cuda cudnn: nccl.", "wheel"),  # wheels are for a major of CUDA
    ("cuda ucx", "wheel"),
]
BY_METHOD += [("mpi ucx", "source"), ("mpi", "apt"), ("mpi", "installer")]
"""What is asked for against the order of preference; a method that is the first to fit is in the
products.
"""

MARKS = "!*.:"
"""What stands behind a slot."""
RANDOM = 20261122
LONGEST_TAG = 128
MIXED = 400
"""Combinations over all slots at once, for each of three sets of platforms."""


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_product_that_the_rules_allow_renders(
    name: str, library: Library, tmp_path: Path, record_property: Record
) -> None:
    words, least = PRODUCTS[name]
    finder = Finder(library, tmp_path)
    found = list(finder.product(dict(choices(library, words))))
    assert len(found) >= least
    check(rendered(library, tmp_path, finder, found), tmp_path, record_property)


@pytest.mark.parametrize(("slots", "method"), BY_METHOD)
def test_the_product_renders_by_a_method_that_is_asked_for(
    slots: str, method: str, library: Library, tmp_path: Path, record_property: Record
) -> None:
    named = [word.rstrip(MARKS) for word in slots.split()]
    components = [component for slot in named for component in library.of_slot(slot)]
    finder = Finder(
        library,
        tmp_path,
        {component.name: method for component in components if method in component.methods},
    )
    unasked = Finder(library, tmp_path)
    filled = dict(choices(library, "distro!* " + slots))
    found = [
        combination
        for combination in finder.product(filled)
        if method in finder.by(combination).values()
    ]
    found = [
        combination for combination in found if finder.by(combination) != unasked.by(combination)
    ]  # the others are in the products
    assert found
    check(rendered(library, tmp_path, finder, found), tmp_path, record_property)


@pytest.mark.parametrize("platforms", ["linux/amd64", "linux/arm64", "linux/amd64 linux/arm64"])
def test_a_mixed_sample_over_all_slots_renders(
    platforms: str, library: Library, tmp_path: Path, record_property: Record
) -> None:
    finder = Finder(library, tmp_path, platforms=platforms.split())
    found = {
        tuple(chosen.text for chosen in slots.values()): slots for slots in mixed(library, finder)
    }
    filled = {slot for slots in found.values() for slot in slots}
    assert not [
        slot for slot in set(library.slots) - filled if can_be_filled(slot, library, finder)
    ]
    check(rendered(library, tmp_path, finder, found.values()), tmp_path, record_property)


def choices(library: Library, words: str) -> Iterator[tuple[str, list[Chosen | None]]]:
    """What each slot of a product can hold."""
    slots = [word.rstrip(MARKS) for word in words.split()]
    kinds = Kinds(library, slots)
    for word, slot in zip(words.split(), slots, strict=True):
        known = everything(library, slot)
        if "." in word or ":" in word:
            found = newest_of(known, by="minor" if "." in word else "major")
        else:
            found = list(known) if "*" in word else kinds.of(slot)
        yield slot, [*found] if "!" in word else [None, *found]


def newest_of(known: Iterable[Chosen], by: str) -> list[Chosen]:
    """The newest version of every minor or major of each component;

    `known` has the newest first.
    """
    newest: dict[tuple[str, str], Chosen] = {}
    for chosen in known:
        newest.setdefault((chosen.component.name, getattr(chosen.version, by)), chosen)
    return list(newest.values())


def can_be_filled(slot: str, library: Library, finder: Finder) -> bool:
    """Whether some version of some component can fill the slot in the finder's family (TensorRT has
    no wheel for arm64).
    """
    return any(
        finder.around(chosen, method)
        for chosen in everything(library, slot)
        for method in chosen.version.methods
    )


def mixed(library: Library, finder: Finder) -> Iterator[Slots]:
    """Combinations that pass, with slots filled one after another by chance; always the same ones
    for the same library.
    """
    chance = random.Random(f"{RANDOM} {finder.about}")  # noqa: S311
    order = sorted(library.slots, key=slot_rank)
    count = 0
    while count < MIXED:
        slots: Slots = {}
        for slot in order:
            tried = [chance.choice(everything(library, slot)) for _ in range(8)]
            grown = [{**slots, slot: chosen} for chosen in tried]
            # a name with every slot in it can be too long for a tag
            fitting = [
                g
                for g in grown
                if slot == "distro" or (finder.passes(g) and len(finder.name(g)) <= LONGEST_TAG)
            ]
            if fitting and (slot == "distro" or chance.random() < 0.7):
                slots = fitting[0]
        if finder.passes(slots):
            count += 1
            yield slots


def check(made: Iterable[tuple[Variant, str]], folder: Path, record: Record) -> None:
    """Parse the Dockerfiles; what they have alike, once."""
    count, sections = 0, dict[str, None]()
    for variant, text in made:
        count += 1
        found = pieces(text)
        assert "".join(found) == text, variant.name
        sections.update(dict.fromkeys(found))
    distinct = dict.fromkeys(
        instruction for section in sections for instruction in instructions(section)
    )
    shell = alike(scripts(distinct))
    record("variants", count)
    record("Dockerfile instructions, each once", len(distinct))
    record("scripts, each once but for their numbers", len(shell))
    wrong = parse_errors(distinct, folder)
    assert not wrong, "\n".join(wrong[:20])
    wrong = shell_errors(shell, folder)
    assert not wrong, "\n".join(wrong[:20])


def test_the_search_finds_what_trying_everything_finds(library: Library, tmp_path: Path) -> None:
    finder = Finder(library, tmp_path)
    chance = random.Random(RANDOM)  # noqa: S311
    sizes = {"distro": 4, "cuda": 5, "cudnn": 5, "ucx": 2, "mpi": 2, "conda": 1, "onnxruntime": 3}
    few = {
        slot: [None, *chance.sample(everything(library, slot), size)]
        for slot, size in sizes.items()
    }
    tried = (
        {slot: c for slot, c in zip(few, picked, strict=True) if c}
        for picked in itertools.product(*few.values())
    )
    passing = [slots for slots in tried if "distro" in slots and finder.passes(slots)]
    assert len(passing) > 100
    few["distro"].remove(None)
    assert list(finder.product(few)) == passing
