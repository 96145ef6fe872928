"""What a stage is called in a file, and what stands for it whatever it is called."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from bakestone.core.render.stages import PLATFORM, SELF, VERSION, Mark, RenderedStage, names


def stage(title: str, body: str = "", *marks: Mark, own: bool = False) -> RenderedStage:
    return RenderedStage(title, f"FROM scratch AS {SELF}\n# {body}\n", marks, own=own)


def version(text: str) -> Mark:
    return Mark(VERSION, "", text)


def cuda(text: str) -> Mark:
    return Mark("cuda", "cuda", text)


def debian(text: str) -> Mark:
    return Mark("distro", "debian", text)


def called(*stages: RenderedStage) -> list[str]:
    found = names(stages)
    assert len(set(found.values())) == len(found)
    return [found[one.identity] for one in stages]


def test_an_identity_does_not_depend_on_what_a_stage_is_called_or_marked_with() -> None:
    one = stage("openmpi", "a", version("5.0.10"))
    other = RenderedStage("mpi", one.text, (cuda("13.0"),), own=True)
    assert one.identity == other.identity
    assert one.identity != stage("openmpi", "b").identity


def test_an_identity_stands_for_what_a_stage_needs() -> None:
    before, other = stage("base", "a"), stage("base", "b")
    first = RenderedStage("x", f"FROM {before.reference} AS {SELF}\n")
    second = RenderedStage("x", f"FROM {other.reference} AS {SELF}\n")
    assert first.identity != second.identity


def test_a_stage_that_is_alone_is_called_by_its_title() -> None:
    assert called(stage("openmpi", "a", debian("12"), version("5.0.10")), stage("gate")) == [
        "openmpi",
        "gate",
    ]


NAMES = {
    "versions, as far as they differ": ([(version("4.1.8"),), (version("5.0.10"),)], ["x4", "x5"]),
    "versions that begin alike": (
        [(version("5.0.9"),), (version("5.0.10"),)],
        ["x5.0.9", "x5.0.10"],
    ),
    "one number within another": ([(version("1"),), (version("1.2"),)], ["x1", "x1.2"]),
    "what one has and the other has not": ([(), (cuda("13.0.2"),)], ["x", "x-cuda"]),
    "two of a kind and one without": (
        [(), (cuda("12.8.1"),), (cuda("13.0.2"),)],
        ["x", "x-cuda12", "x-cuda13"],
    ),
    "another component": (
        [(Mark("mpi", "openmpi", "5.0.10"),), (Mark("mpi", "intelmpi", "2021.16.1"),)],
        ["x-openmpi", "x-intelmpi"],
    ),
    "two kinds, where one is not enough, the own version first": (
        [
            (debian("12"), version("4.1.8")),
            (debian("13"), version("4.1.8")),
            (debian("12"), version("5.0.10")),
        ],
        ["x4-debian12", "x4-debian13", "x5-debian12"],
    ),
    "no kind that tells nothing": (
        [(debian("12"), cuda("12.8.1")), (debian("12"), cuda("13.0.2"))],
        ["x-cuda12", "x-cuda13"],
    ),
    "numbers, where no mark tells": ([(debian("12"),), (debian("12"),)], ["x", "x-2"]),
}


@pytest.mark.parametrize(("marks", "wanted"), NAMES.values(), ids=list(NAMES))
def test_a_name_is_as_short_as_tells_it_from_the_others(
    marks: list[tuple[Mark, ...]], wanted: list[str]
) -> None:
    stages = [stage("x", str(number), *own) for number, own in enumerate(marks)]
    assert called(*stages) == wanted


def test_names_are_the_same_in_any_order() -> None:
    marks = [
        (debian("12"), version("4.1.8")),
        (debian("13"), version("4.1.8")),
        (debian("12"), version("5.0.10")),
    ]
    stages = [stage("x", str(number), *own) for number, own in enumerate(marks)]
    stages.append(stage("y", "", cuda("13.0")))
    for order in permutations(stages):
        assert names(order) == names(stages)


def test_a_version_that_tells_nothing_is_in_no_name() -> None:
    def both(nccl: str) -> list[str]:
        marks = [(cuda("12.8.1"), version(nccl)), (cuda("13.0.2"), version("2.27.7"))]
        return called(*(stage("nccl", str(own), *own) for own in marks))

    assert both("2.25.1") == both("2.26.2") == both("2.27.7") == ["nccl-cuda12", "nccl-cuda13"]


def test_a_variants_own_stage_keeps_its_name_whatever_others_are_called() -> None:
    shared = stage("debian12", "a")
    own = stage("debian12", "b", own=True)
    for order in ([shared, own], [own, shared]):
        found = names(order)
        assert (found[own.identity], found[shared.identity]) == ("debian12", "debian12.base")


def test_a_label_and_a_title_do_not_meet() -> None:
    stages = [
        stage("debian12", "a"),
        stage("debian12", "b", Mark("purpose", "builder")),
        stage("debian12-builder", "c"),
    ]
    assert called(*stages) == ["debian12", "debian12-builder", "debian12-builder-2"]


def test_names_are_what_dockerfiles_allow() -> None:
    assert called(stage("X", "a", Mark("m", "A/b C")), stage("X", "b")) == ["x-a-b-c", "x"]


PLATFORMS = ("amd64", "arm64")


@pytest.mark.parametrize("extra", [(), (cuda("12.8.1"), cuda("13.0.2"))], ids=["one", "two"])
def test_a_stage_by_platform_is_named_after_those_of_its_platforms(extra: tuple[Mark, ...]) -> None:
    """Also where another mark, that only later stages have, is in the names."""
    whole: list[RenderedStage] = []
    groups: list[list[RenderedStage]] = []
    for number, mark in enumerate(extra or [None]):
        own = (mark,) if mark and number else ()
        each = [stage("x.pins", f"{number} {p}", *own, Mark(PLATFORM, p)) for p in PLATFORMS]
        text = f"# {number}\nFROM {each[0].by_platform} AS {SELF}\n"
        last = RenderedStage("x.pins", text, own)
        groups.append([*each, last])
        whole += groups[-1]
    found = names(whole)
    assert len(set(found.values())) == len(whole)
    for *each, last in groups:
        begin = last.written(found).split()[-3].removesuffix("${TARGETARCH}")
        assert [found[one.identity] for one in each] == [begin + p for p in PLATFORMS]


def test_what_no_mark_tells_apart_is_numbered_before_its_platform() -> None:
    groups: list[list[RenderedStage]] = []
    for number in range(3):
        each = [stage("x.pins", f"{number} {p}", Mark(PLATFORM, p)) for p in PLATFORMS]
        text = f"# {number}\nFROM {each[0].by_platform} AS {SELF}\n"
        groups.append([*each, RenderedStage("x.pins", text)])
    found = names([one for group in groups for one in group])
    assert [[found[one.identity] for one in group] for group in groups] == [
        ["x.pins-amd64", "x.pins-arm64", "x.pins"],
        ["x.pins-2-amd64", "x.pins-2-arm64", "x.pins-2"],
        ["x.pins-3-amd64", "x.pins-3-arm64", "x.pins-3"],
    ]
    assert groups[2][-1].written(found).endswith("FROM x.pins-3-${TARGETARCH} AS x.pins-3\n")


def test_a_text_is_written_with_the_names_of_its_file() -> None:
    base = stage("base")
    last = RenderedStage(
        "last", f"FROM {base.reference} AS {SELF}\nCOPY --from={base.reference} / /\n"
    )
    found = names([base, last])
    assert last.written(found) == "FROM base AS last\nCOPY --from=base / /\n"
    other = names([base, replace(base, text=base.text + "#\n", marks=(cuda("12"),)), last])
    assert last.written(other) == "FROM base AS last\nCOPY --from=base / /\n"


def test_a_stage_of_several_variants_is_called_by_what_these_have_alike() -> None:
    one = stage("mpi", "a", Mark("cuda", "cuda", "12.6"), Mark("distro", "debian", "12"))
    same = stage("mpi", "a", Mark("cuda", "cuda", "12.8"), Mark("distro", "debian", "12"))
    bare = stage("mpi", "a", Mark("distro", "debian", "12"))
    assert one.alike(same).marks == (Mark("cuda", "cuda"), Mark("distro", "debian", "12"))
    assert one.alike(bare).marks == (Mark("distro", "debian", "12"),)
    assert one.alike(one) is one
    assert one.alike(bare) == one, "marks are no part of what it is"


def test_the_kind_that_comes_first_where_all_are_decides() -> None:
    plain = stage("debian12", "a", Mark("mpi", "openmpi", "5.0.10"))
    gpu = stage("debian12", "b", Mark("cuda", "cuda", "13.0"), Mark("mpi", "intelmpi", "2021.16"))
    assert list(names([plain, gpu]).values()) == ["debian12", "debian12-cuda"]


def test_a_version_that_begins_with_a_letter_stands_behind_a_dash() -> None:
    pythons = [stage("conda", v, Mark(VERSION, "", v)) for v in ("py312_1", "py313_1")]
    assert list(names(pythons).values()) == ["conda-py312", "conda-py313"]
    assert list(names([pythons[0], stage("conda", "c", Mark(VERSION, "", ""))]).values())[1] == (
        "conda"
    )
