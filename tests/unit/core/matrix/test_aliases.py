"""Further tags of images: what templates give, who has them, what is refused, and where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from tests.support.samples import FIRST, Marked, Shown, locked, project, refused

HEAD = "version: 1\nregistry: localhost:5000/base\n"
FAMILY = """\
  - name: mpi
    axes:
      distro: [debian@12, debian@13]
      mpi: [openmpi@5.0.10, openmpi@4.1.8]
"""
OLD, NEW = "openmpi4.1.8-debian12", "openmpi5.0.10-debian13"


def matrix(tags: str, defaults: str = "", more: str = "") -> str:
    """A family of four variants with these tags."""
    said = f"    tags: {tags}\n" if tags else ""
    return f"{HEAD}{defaults}families:\n{FAMILY}{said}{more}"


def given(text: str, folder: Path, library: Library) -> dict[str, list[str]]:
    """Variant -> its aliases."""
    variants = project(folder, text, library=library).matrix.variants
    return {v.name: [alias.tag for alias in v.aliases] for v in variants}


def refusal(text: str, folder: Path, library: Library) -> list[Shown]:
    return refused(lambda: project(folder, text, library=library).matrix)


@pytest.mark.parametrize(
    ("template", "old", "new"),
    [
        ("{mpi_major}-{distro}", "4-debian12", "5-debian13"),
        ("{mpi}_{distro_version}", "openmpi4.1.8_12", "openmpi5.0.10_13"),
        ("{mpi_component}{mpi_minor}-{distro}", "openmpi4.1-debian12", "openmpi5.0-debian13"),
        ("{name}.{role}", f"{OLD}.devel", f"{NEW}.devel"),
        ("{name}-{date}", OLD + "-{date}", NEW + "-{date}"),
        ("x-{distro}-{mpi_version}", "x-debian12-4.1.8", "x-debian13-5.0.10"),
    ],
)
def test_a_template_is_filled_with_what_a_variant_is(
    template: str, old: str, new: str, library: Library, tmp_path: Path
) -> None:
    found = given(matrix(f'["{template}"]'), tmp_path, library)
    assert (found[OLD], found[NEW]) == ([old], [new])


def test_selectors_choose_who_has_a_tag(library: Library, tmp_path: Path) -> None:
    tags = (
        "[{tag: latest, when: [mpi=openmpi@5.*, distro=debian@13]},"
        f' {{tag: old, when: {OLD}}}, {{tag: "{{distro}}", when: mpi!=openmpi@4.*}}]'
    )
    found = given(matrix(tags), tmp_path, library)
    assert found == {
        OLD: ["old"],
        NEW: ["latest", "debian13"],
        "openmpi5.0.10-debian12": ["debian12"],
        "openmpi4.1.8-debian13": [],
    }


def test_what_is_the_name_already_is_no_further_tag(library: Library, tmp_path: Path) -> None:
    tags = '["{name}", "{mpi}-{distro}", "{mpi_version}-{distro}", "{mpi_version}-{distro}{name}"]'
    found = given(matrix(tags), tmp_path, library)
    assert found[NEW] == ["5.0.10-debian13", f"5.0.10-debian13{NEW}"]


SECOND = """\
  - name: second
    extends: mpi
    suffix: debug
    axes: {distro: [debian@13], mpi: [openmpi@5.0.10]}
"""


def test_tags_are_inherited_and_a_nearer_one_stands_for_the_same_one(
    library: Library, tmp_path: Path
) -> None:
    defaults = 'defaults: {tags: ["{name}-{date}", {tag: latest, when: openmpi4*-debian12}]}\n'
    more = SECOND + '    tags: [latest, "!{mpi_major}-{distro}"]\n'
    found = given(matrix('["{mpi_major}-{distro}"]', defaults, more), tmp_path, library)
    assert found[OLD] == [OLD + "-{date}", "latest", "4-debian12"]
    assert found[NEW] == [NEW + "-{date}", "5-debian13"]
    assert found[f"{NEW}-debug"] == [NEW + "-debug-{date}", "latest"]


def test_an_inherited_tag_may_be_for_none_of_a_family(library: Library, tmp_path: Path) -> None:
    """Its selector matches something in a family that has it, so it is right."""
    defaults = "defaults: {tags: [{tag: old, when: openmpi4*-debian12}]}\n"
    found = given(matrix("", defaults, SECOND), tmp_path, library)
    assert (found[OLD], found[f"{NEW}-debug"]) == (["old"], [])


def test_roles_have_tags_of_their_own(library: Library, tmp_path: Path) -> None:
    roles = "    roles: [devel, runtime]\n"
    text = matrix('["{mpi_major}-{distro}-{role}"]', more=roles)
    found = given(text, tmp_path, library)
    assert found[f"{NEW}-runtime"] == ["5-debian13-runtime"]
    text = matrix('["{name}", {tag: x, when: openmpi5*-debian13*}]', more=roles)
    (refused_,) = refusal(text, tmp_path, library)
    assert refused_.hint.endswith("tells them apart: {role}")


@pytest.mark.parametrize(
    ("tags", "message", "hint"),
    [
        ("[«latest»]", "4 images would have the tag latest: ", "{tag: latest, when: openmpi5"),
        (
            '[«"{mpi_major}"»]',
            "two images would have the tag 5: openmpi5.0.10-debian12 and openmpi5.0.10-debian13",
            'choose one of them: {tag: "{mpi_major}", when: openmpi5.0.10-debian12}; or add a field'
            " that tells them apart: {distro_version}",
        ),
        (
            f"[{{tag: x, when: {OLD}}}, {{tag: «x», when: {NEW}}}]",
            f"two images would have the tag x: {OLD} and {NEW}",
            "choose one of them",
        ),
        (
            f"[{{tag: «{OLD}», when: {NEW}}}]",
            f"the alias {OLD} of {NEW} is the name of {OLD}",
            "use other words",
        ),
        (
            f'[{{tag: x-20261130, when: {OLD}}}, {{tag: «"x-{{date}}"», when: {NEW}}}]',
            f"the alias x-{{date}} of {NEW} is on a day the alias x-20261130 of {OLD}",
            "use other words",
        ),
        ('[«"x-{mpl}"»]', "there is no field {mpl}", "did you mean mpi?"),
        ('[«"x-{family}"»]', "there is no field {family}", "such as {name}, {role}, {date}"),
        ('[«"{conda}"»]', "has no conda, which {conda} asks for", "no variant has one"),
        ('[«"fp-{name}"»]', "cannot be the tag of an image (fp-... are", "use other words"),
        ('[«"-{name}"»]', "cannot be the tag of an image (letters, digits", "begin with . or -"),
        ('[«"{name}-{name}-{name}-{name}-{name}-{name}"»]', "the limit is 128", "128"),
        ("[«'!latest'»]", "no tag latest is inherited here", "remove it"),
        ("[{tag: x, when: «mpi=mpich»}]", "no variant has mpi=mpich", "there is openmpi@4.1.8"),
        ("[{tag: x, when: «mpl=mpich»}]", "there is no slot 'mpl'", "mpi"),
        ("[{tag: x, when: «cuda>=12»}]", "is no selector", "write it in quotes"),
        ("[{tag: x, when: [«'a b;c'»]}]", "when cannot be", "a selector as `bakestone list`"),
        ('[«"{{ mpi }}"»]', "tags cannot be", '"{mpi_major}-{distro}"'),
        ('[{tag: «"{mpi.major}"»}]', "tag cannot be", '"{mpi_major}-{distro}"'),
        ('[«"a/b"»]', "tags cannot be", "letters, digits"),
        ("[«5»]", "tags must be text, and 5 is a number in YAML", 'write it in quotes: "5"'),
        ("[{tag: x, «if»: a}]", "unknown key 'if' in tags", "write `when`"),
        ("[«{when: mpi=openmpi}»]", "the key 'tag' is missing in tags", "The tag."),
        ("«latest»", "tags must be a list", "write it as a list: [latest]"),
    ],
)
def test_what_cannot_be_a_tag_is_refused_where_it_stands(
    tags: str, message: str, hint: str, library: Library, tmp_path: Path
) -> None:
    marked = Marked.of(matrix(tags))
    found = refusal(marked.text, tmp_path, library)[0]
    assert message in found.message
    assert hint in found.hint
    assert (found.line, found.column, found.marked) == (marked.line, marked.column, marked.marked)


@pytest.mark.parametrize(
    "tags", ["[{name}-{date}, latest]", "[latest, {mpi_major}-{distro}]", "\n      - {name}-{date}"]
)
def test_a_field_without_quotes_is_answered_with_quotes(tags: str, tmp_path: Path) -> None:
    (found,) = refused(lambda: project(tmp_path, matrix(tags)).matrix)
    assert found.message.startswith("not valid YAML")
    assert found.hint in (
        'write it in quotes: "{name}-{date}"',
        'write it in quotes: "{mpi_major}-{distro}"',
    )


GPU = """\
version: 1
registry: localhost:5000/base
accept: [nvidia-eula]
families:
  - name: both
    axes:
      distro: [debian@12]
      gpu: [none, {cuda: "13.0.2", cudnn: "9.14.0.64", nccl: "2.27.7"}]
    tags: [«TAG»]
"""


def test_a_field_that_only_some_have_is_led_to_a_selector(library: Library, tmp_path: Path) -> None:
    text = GPU.replace("«TAG»", '"cuda{cuda_minor}"')
    (found,) = refusal(text, tmp_path, library)
    assert found.message == "debian12 has no cuda, which {cuda_minor} asks for"
    written = '{tag: "cuda{cuda_minor}", when: cuda=*}'
    assert found.hint == f"give it to those that have one: {written}"
    found_ = given(GPU.replace("«TAG»", written), tmp_path, library)
    assert found_ == {"debian12": [], "cuda13.0.2-cudnn9-debian12": ["cuda13.0"]}


def test_a_selector_of_another_family_is_told(library: Library, tmp_path: Path) -> None:
    more = SECOND + "    tags: [{tag: x, when: openmpi4*}]\n"
    (found,) = refusal(matrix("", more=more), tmp_path, library)
    assert found.message == "no variant of second matches openmpi4*"


def test_tags_are_no_part_of_an_image(library: Library, tmp_path: Path) -> None:
    plain = locked(tmp_path / "a", FIRST, library=library)
    tags = '    tags: [latest, "{name}-{date}"]\n'
    tagged = locked(tmp_path / "b", FIRST + tags, library=library)
    (one,), (other,) = plain.matrix.variants, tagged.matrix.variants
    assert plain.fingerprint(one) == tagged.fingerprint(other)
    assert plain.dockerfiles == tagged.dockerfiles


def test_the_bake_file_has_the_tags_that_move_and_no_date(library: Library, tmp_path: Path) -> None:
    tags = '    tags: [latest, "{name}-{date}", "{mpi_major}"]\n'
    made = locked(tmp_path, FIRST + tags, library=library)
    text = made.texts[made.output / "docker-bake.json"]
    (target,) = json.loads(text)["target"].values()
    place = "localhost:5000/base/first"
    assert target["tags"] == [f"{place}:openmpi5.0.10-ubuntu22.04", f"{place}:latest", f"{place}:5"]
