"""What the words of `bakestone lock --update WORD...` mean: which entries of a lock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from bakestone.core.documents.patterns import matches
from bakestone.core.documents.suggest import near
from bakestone.core.library.catalog import Library
from bakestone.core.lock import survey
from bakestone.core.lock.needs import Needs
from bakestone.core.matrix.selectors import select
from bakestone.core.matrix.variant import INHERITED, Variant
from bakestone.errors import BakestoneError, fail


@dataclass
class Scope:
    """Names of entries to ask for again. `packages` are base images, whose packages are meant.

    Wheels are not among them: they are what the library says, at every run. So are keyrings, but
    for the checksum of the key file.
    """

    bases: set[str] = field(default_factory=set)
    packages: set[str] = field(default_factory=set)
    artifacts: set[str] = field(default_factory=set)
    keyrings: set[str] = field(default_factory=set)
    frameworks: set[str] = field(default_factory=set)
    environments: set[str] = field(default_factory=set)

    @staticmethod
    def of(needs: Needs) -> Scope:
        """Everything that is needed."""
        return Scope(
            set(needs.bases),
            set(needs.packages),
            set(needs.artifacts),
            set(needs.repositories),
            set(needs.frameworks),
            set(needs.environments),
        )

    def __ior__(self, other: Scope) -> Scope:
        self.bases |= other.bases
        self.packages |= other.packages
        self.artifacts |= other.artifacts
        self.keyrings |= other.keyrings
        self.frameworks |= other.frameworks
        self.environments |= other.environments
        return self


def named(
    words: Sequence[str], variants: Sequence[Variant], needs: Needs, library: Library
) -> Scope:
    """The entries that the words mean, of those that are needed; everything without a word.

    A word is a base image (`docker.io/library/debian:12`, with * and ?), a component (`openmpi`,
    `openmpi@5.*`), or a selector of variants, of which several are taken together as everywhere.
    What could be two of these is the first of them. Raises `BakestoneError` for a word that means
    nothing here, with the nearest one that does.
    """
    if not words:
        return Scope.of(needs)
    scope, selectors = Scope(), []
    sets = [s for of_base in needs.packages.values() for s in of_base.values()]
    chosen = [c for variant in variants for c in variant.slots.values()]
    components = sorted({used.pin for used in chosen} | {s.distro.text for s in sets})
    for word in words:
        refs = {ref for ref in needs.bases if fnmatchcase(ref, word)} if "/" in word else set()
        texts = {text for text in components if _is_component(word, text)}
        if refs:
            scope |= Scope(refs, refs)
        elif texts:
            scope |= _of_components(texts, variants, needs)
        else:
            _check(word, variants, needs, components)
            selectors.append(word)
    if selectors:
        scope |= Scope.of(survey.collect(select(variants, selectors), library))
    return scope


def _is_component(word: str, text: str) -> bool:
    name, mark, version = word.partition("@")
    component, _, own = text.partition("@")
    if name != component or "=" in word:
        return False
    return not mark or matches(f"{name}@{version}", component, own)


def _of_components(texts: set[str], variants: Iterable[Variant], needs: Needs) -> Scope:
    scope = Scope(artifacts={url for url, a in needs.artifacts.items() if a.component in texts})
    for ref, sets in needs.packages.items():
        if any(s.distro.text in texts for s in sets.values()):
            scope |= Scope({ref}, {ref})
    for variant in variants:
        for chosen in variant.slots.values():
            if chosen.pin not in texts:
                continue
            known = chosen.component.repositories
            scope |= Scope(keyrings={name for name in needs.repositories if name in known})
            inherited = chosen.method == INHERITED
            if inherited:
                scope.bases.add(variant.base.ref)
            if chosen.of_distro or chosen.of_vendor or (inherited and chosen.slot != "distro"):
                scope.packages.add(variant.base.ref)
    return scope


def _check(word: str, variants: Sequence[Variant], needs: Needs, components: Iterable[str]) -> None:
    """Raise when the word is no selector either."""
    try:
        select(variants, [word])
    except BakestoneError as problem:
        slot, mark, _ = word.partition("=")
        if mark and slot.isidentifier():
            raise
        names = sorted({text.partition("@")[0] for text in components})
        families = sorted({f"family={v.family.name}" for v in variants})
        known = [*names, *components, *needs.bases, *(v.name for v in variants), *families]
        kinds = "a variant, slot=pattern, family=NAME, a component"
        hint = near(word, known, f"{kinds} ({', '.join(names)}) or a base image", cutoff=0.6)
        raise fail(f"nothing in this lock is named {word}", hint, name=word) from problem
