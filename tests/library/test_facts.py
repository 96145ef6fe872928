"""The library and the collection of facts that it was written from do not disagree, and what the
library leaves out has its reason.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from bakestone.core.documents.patterns import compare, matches
from bakestone.core.library.catalog import Library
from tests.library import facts

FILES = {
    # component -> where its files are in the facts
    "miniconda": ("1_miniconda", "installers"),
    "miniforge": ("1b_miniforge", "installers"),
    "openmpi": ("2_openmpi", "tarballs"),
    "ucx": ("2_openmpi", "ucx"),
    "intelmpi": ("3_intel_mpi", "installers"),
    "git": ("6_git", "tarballs"),
}
FILES_LEFT_OUT = {
    r"Miniconda3-4\.([34]\.\d+|5\.[14])(\.\d+)?-Linux-x86_64\.sh": (
        "older than the Miniconda 4.5.11 of the Azure Machine Learning table"
    ),
    r"openmpi-.*\.tar\.gz": "the .tar.bz2 of the same version is there: every version has one",
}
IMAGES_LEFT_OUT = {
    # tags of nvidia/cuda that a digest is known of
    r"11\.6\.1-cudnn8-devel-ubuntu20\.04": "the digest is of arm64 alone",
    r"(12\.9\.2|13\.0\.[123]|13\.[12]\.\d)-(cudnn-)?devel-ubuntu24\.04": (
        "no Dockerfile of it is on record that says which cuDNN and NCCL it has"
    ),
}
CUDA_LEFT_OUT = {
    "8.0.61": "older than the CUDA 9.0 of the Azure Machine Learning table",
    "11.0.2": "NVIDIA's Dockerfiles have 11.0.3",
    "11.1.0": "NVIDIA's Dockerfiles have 11.1.1",
    "11.4.4": "NVIDIA's Dockerfiles end with 11.4.3",
    "12.2.1": "NVIDIA's Dockerfiles have 12.2.0 and 12.2.2",
    "13.1.0": "CUDA 13.1 comes by wheel, as 13.1.1",
    "13.2.0": "CUDA 13.2 comes by wheel, as 13.2.1",
    "13.3.0": "CUDA 13.3 comes by wheel, as 13.3.1",
}
HISTORY_LEFT_OUT = {
    r"cudnn 7\.1\.2|nccl 2\.4|nccl 2\.[67]|nccl 2\.19\.3-": (
        "cut short in Dockerfiles of CentOS; whole versions that begin so are there"
    ),
    r"cudnn 7\.6\.5\.33": "of CentOS alone; for Ubuntu it was packaged as 7.6.5.32",
    r"cudnn 8\.5\.0\.39": "in Dockerfiles of 2021 for CentOS alone, a slip of the pen for 8.0.5.39",
    r"nccl 2\.[123]\..*": "older than the NCCL 2.4.2 of the Azure Machine Learning table",
}
_ARCHIVE = (
    "in the facts as a tar archive alone, and the library installs cuDNN by image, package or wheel"
)
CUDNN_LEFT_OUT = {r"7\.1\.3|8\.3\.2\.44|9\.15\.0\.58": _ARCHIVE}
OTHER_ENDS = {"ubi@10": "its end is of the source that its entry names"}
DISTRO_NAMES = {"ubuntu": "ubuntu", "debian": "debian", "rocky": "rocky", "rhel": "ubi"}
DISTRO_IMAGES_LEFT_OUT = {
    r"debian:.*-slim": "the whole image is there",
    r"rockylinux:.*": (
        "the Docker official image has had no update since 2023-11; the Rocky Linux project's own"
        " is there"
    ),
    r"almalinux:.*": "a newer build is there, with its platforms, of repo-info@05db9775",
    r"ubuntu:26\.04": "a newer build is there, with its platforms, of repo-info@1c2b9d92",
    r"registry\.access\.redhat\.com/ubi9/ubi:9\.[57]": "9.8 is there",
}


def left_out(name: str, reasons: dict[str, str]) -> bool:
    return any(re.fullmatch(pattern, name) and reason for pattern, reason in reasons.items())


@pytest.mark.parametrize("name", FILES)
def test_every_file_has_the_url_and_checksum_of_the_facts(name: str, library: Library) -> None:
    known = {}
    section, part = FILES[name]
    for fact in facts.read()[section][part]:
        urls = fact.get("urls") or [fact["url"]]
        known[urls[0].rpartition("/")[2]] = (urls, fact["sha256"])
    have = {
        entry["filename"]: (version, entry)
        for version, entry in facts.entries(facts.component(library, name), "artifacts")
    }
    wrong = [
        f
        for f, (_, entry) in have.items()
        if f in known and (entry["sha256"] != known[f][1] or entry["url"] not in known[f][0])
    ]
    assert not wrong
    lost = [file for file in known if file not in have and not left_out(file, FILES_LEFT_OUT)]
    assert not lost
    assert len(known.keys() & have.keys()) > 20


def test_every_tag_of_nvidia_has_a_digest_of_the_facts(library: Library) -> None:
    known = defaultdict(set)
    for fact in facts.nvidia()["digests"]:
        known[f"{fact['image']}:{fact['tag']}"].add(fact["digest"])
    have: dict[str, set[str]] = defaultdict(set)
    for name in ("cuda", "cuda-runtime"):
        for _, image in facts.entries(facts.component(library, name), "images"):
            have[image["ref"]].update(
                {image["digest"], *(image.get("platforms") or {}).values()}
                if image.get("digest")
                else ()
            )
    wrong = {ref: digests - known[ref] for ref, digests in have.items() if digests - known[ref]}
    assert not wrong
    lost = [
        ref
        for ref in known
        if ref not in have and not left_out(ref.rpartition(":")[2], IMAGES_LEFT_OUT)
    ]
    assert not lost


def test_every_distro_has_a_digest_of_the_facts(library: Library) -> None:
    known: dict[str, list[dict[str, str]]] = defaultdict(list)
    for fact in facts.read()["7_distros"]["digests"]:
        known[f"{fact['image']}:{str(fact['tag']).split(' ')[0]}"].append(fact)
    have = set()
    for name in ("ubuntu", "debian", "rocky", "ubi"):
        for version in facts.component(library, name).versions.values():
            ref = version.base.ref.removeprefix("docker.io/").removeprefix("library/")
            have.add(ref)
            digests = {"index": version.base.digest, **version.base.platforms}
            for platform, digest in digests.items() if version.base.digest else ():
                if left_out(ref, DISTRO_IMAGES_LEFT_OUT):
                    continue
                key = f"{platform.removeprefix('linux/')}_digest"
                assert digest in {fact.get(key) for fact in known[ref]}, f"{ref} {platform}"
    lost = [ref for ref in known if ref not in have and not left_out(ref, DISTRO_IMAGES_LEFT_OUT)]
    assert not lost


def test_every_distro_ends_when_the_facts_say(library: Library) -> None:
    compared = 0
    for key, fact in facts.read()["7_distros"]["eol"].items():
        if not isinstance(fact, dict):
            continue
        name, number = re.match(r"([a-z]+)([0-9.]+)", key).groups()  # type: ignore[union-attr]
        version = facts.component(library, DISTRO_NAMES[name]).versions[number]
        assert version.data["end_of_life"] == str(fact["eol"]), key
        assert version.data.get("end_of_extended") == (
            str(fact["eoes"]) if "eoes" in fact else None
        ), key
        compared += 1
    known = sum(len(facts.component(library, name).versions) for name in DISTRO_NAMES.values())
    assert compared == known - len(OTHER_ENDS)


def test_every_cuda_ends_when_the_facts_say(library: Library) -> None:
    cuda = facts.component(library, "cuda")
    for number, fact in facts.nvidia()["eol_chart"]["eol_tags"].items():
        assert cuda.versions[number].data["end_of_life"] == str(fact["marked_eol"]), number
    known = {
        re.sub(r"\D", "", branch.split(" ")[0]): str(date)
        for branch, date in facts.read()["5_compat"]["nvidia_driver_branch_eol"]["eol"].items()
    }
    known["535"] = str(facts.nvidia()["eol_chart"]["driver_eol"]["535 (LTSB)"])
    for name in ("cuda", "cuda-runtime"):
        stated = {
            found[1]: end["date"]
            for end in facts.component(library, name).data["ends"]
            if (found := re.search(r"branch (\d+)", end["what"]))
        }
        assert {branch: known[branch] for branch in stated if branch in known} == {
            b: d for b, d in stated.items() if b in known
        }
        assert len(stated.keys() & known.keys()) > 3


def test_every_cuda_asks_for_the_driver_of_the_facts(library: Library) -> None:
    cuda = facts.component(library, "cuda")
    for number, fact in facts.read()["5_compat"]["driver_per_cuda_linux_x86_64"][
        "toolkit_table"
    ].items():
        if number in CUDA_LEFT_OUT or number not in cuda.versions:
            assert number in CUDA_LEFT_OUT or number.rpartition(".")[0] in cuda.versions, (
                number
            )  # 9.0.176 is 9.0
            continue
        told = re.findall(
            r"[0-9.]+[0-9]",
            f"{fact['release_notes_min_driver'] or ''} {fact['driver_in_runfile_name'] or ''}",
        )
        assert cuda.versions[number].data["driver"].removeprefix(">=") in told, number


def test_every_cuda_tells_the_container_runtime_what_nvidias_images_tell_it(
    library: Library,
) -> None:
    values = facts.nvidia()["nvidia_require_cuda"]["values"]
    told = defaultdict(set)
    for image in facts.nvidia()["apt_matrix"]["images"]:
        text = image["amd64"]["env"]["NVIDIA_REQUIRE_CUDA"]
        key = re.fullmatch(r"see nvidia_require_cuda\[(.*)\]", text)
        told[image["cuda"]].add(str(values[key[1]]) if key else text)
    for number, texts in told.items():
        assert (
            facts.component(library, "cuda").versions[number].environment["NVIDIA_REQUIRE_CUDA"]
            in texts
        ), number


def nvidia_pins() -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """CUDA, distro, platform and the packages of NVIDIA's Dockerfiles (base, runtime, devel,
    cuDNN): name -> version.
    """
    for image in facts.nvidia()["apt_matrix"]["images"]:
        distro = image["distro"].replace("ubuntu", "ubuntu@")
        toolkit, cudnn = (
            set().union(*image["amd64"]["apt"].values()),
            of_cudnn(image["amd64"]["cudnn"]),
        )
        yield image["cuda"], distro, "linux/amd64", pinned(toolkit | cudnn)
        if "arm64" in image:
            other = image["arm64"]["same_pins_as_amd64_except"]
            other = {} if other == "nothing" else other
            for difference in other.get("apt", {}).values():
                toolkit = toolkit - set(difference["only_amd64"]) | set(difference["only_arm64"])
            yield (
                image["cuda"],
                distro,
                "linux/arm64",
                pinned(toolkit | of_cudnn(other.get("cudnn", image["amd64"]["cudnn"]))),
            )


def of_cudnn(kinds: dict[str, Any]) -> set[str]:
    """The packages of the devel images with cuDNN."""
    return {pin for kind in kinds.values() for pin in kind["devel"]}


def pinned(words: set[str]) -> dict[str, str]:
    return {
        name: version for name, mark, version in (word.partition("=") for word in words) if mark
    }


def test_every_package_of_cuda_has_the_version_of_nvidias_dockerfiles(library: Library) -> None:
    cuda, compared = facts.component(library, "cuda"), 0
    for number, distro, platform, known in nvidia_pins():
        wanted = {
            name: pin
            for name, pin in known.items()
            if not re.match(r"libnccl|libcudnn|cuda-compat", name)
        }
        have = facts.pins(cuda, cuda.versions[number], distro, platform)
        assert have == wanted, f"{number} on {distro}, {platform}"
        compared += len(have)
    assert compared > 2500


@pytest.mark.parametrize(
    ("name", "package"),
    [("cudnn", r"libcudnn\d(-dev)?|libcudnn9(-dev)?-cuda-\d+"), ("nccl", r"libnccl(2|-dev)")],
)
def test_every_package_of_cudnn_and_nccl_has_the_version_of_nvidias_dockerfiles(
    name: str, package: str, library: Library
) -> None:
    have: dict[tuple[str, str], set[tuple[str, str, str]]] = defaultdict(set)
    for _, entry in facts.entries(facts.component(library, name), "packages"):
        for platform in ("linux/amd64", "linux/arm64"):
            if entry.get("platform", platform) == platform:
                have[entry["when"]["distro"], platform].update(
                    (*pin, str(entry["when"].get("cuda", "*"))) for pin in entry["install"].items()
                )
    for number, distro, platform, known in nvidia_pins():
        for found, pin in ((n, p) for n, p in known.items() if re.fullmatch(package, n)):
            fitting = [
                1
                for n, p, cuda in have[distro, platform]
                if (n, p) == (found, pin) and matches(cuda, "cuda", number)
            ]
            assert fitting, f"{found}={pin} with CUDA {number} on {distro}, {platform}"


@pytest.mark.parametrize("name", ["cudnn", "nccl"])
def test_every_cudnn_and_nccl_that_nvidia_has_used_is_there(name: str, library: Library) -> None:
    cuda, component = facts.component(library, "cuda"), facts.component(library, name)
    for number, history in facts.nvidia()["cudnn_nccl_history"]["by_cuda"].items():
        if any(compare(number, known) == 0 for known in cuda.versions):
            lost = set(history.get(name, {})) - set(component.versions)
            assert not [
                version for version in lost if not left_out(f"{name} {version}", HISTORY_LEFT_OUT)
            ], f"with CUDA {number}"


def test_every_version_of_the_archives_and_runfiles_is_there_by_another_method(
    library: Library,
) -> None:
    compat, cuda = facts.read()["5_compat"], facts.component(library, "cuda").versions
    archives = {str(item["cudnn"]) for item in compat["cudnn_archives_sha256"]["items"]} - set(
        facts.component(library, "cudnn").versions
    )
    assert not [version for version in archives if not left_out(version, CUDNN_LEFT_OUT)]
    runfiles = {str(item["version"]) for item in compat["cuda_runfiles"]["items"]}
    assert not [
        v
        for v in runfiles
        if v not in cuda and v not in CUDA_LEFT_OUT and v.rpartition(".")[0] not in cuda
    ]
    assert not compat["image_distros_per_cuda"]["map"].keys() - set(cuda)


def test_what_is_left_out_is_not_there(library: Library) -> None:
    for name, reasons in (("cuda", CUDA_LEFT_OUT), ("cudnn", CUDNN_LEFT_OUT)):
        assert not [
            version
            for version in facts.component(library, name).versions
            if left_out(version, reasons)
        ]


def test_every_repository_is_signed_with_a_key_of_the_facts(library: Library) -> None:
    known = {key["fingerprint"] for key in facts.nvidia()["apt_repo"]["signing_keys"]}
    intel = facts.read()["3_intel_mpi"]["apt"]
    for name in ("cuda", "cudnn", "nccl"):
        for repository in facts.component(library, name).repositories.values():
            assert repository.fingerprint in known, repository.name
            assert repository.key.endswith(f"/{repository.fingerprint[-8:].lower()}.pub"), (
                repository.name
            )
    (repository,) = facts.component(library, "intelmpi").repositories.values()
    assert repository.fingerprint == intel["key"]["fingerprint"]
    assert repository.key == intel["key_url"]
    assert repository.line in intel["repo_line"]


def test_every_package_of_intel_has_a_version_of_the_facts(library: Library) -> None:
    intelmpi = facts.component(library, "intelmpi")
    for fact in facts.read()["3_intel_mpi"]["apt"]["exact_apt_pins_seen"]:
        for pin in fact["pin"].split(" + "):
            name, _, exact = pin.partition("=")
            version = intelmpi.versions[exact.partition("-")[0]]
            have = {
                n: p
                for entry in version.methods["apt"]["packages"]
                for n, p in entry["install"].items()
            }
            fitting = [p for n, p in have.items() if re.fullmatch(rf"{name}(-\d+\.\d+)?", n)]
            assert fitting == [exact], pin


def test_every_git_of_a_distro_has_the_version_of_the_facts(library: Library) -> None:
    have = {
        distro: pin
        for v in facts.component(library, "git").versions.values()
        for distro, pin in v.methods.get("apt", {}).get("versions", {}).items()
    }
    for key, fact in facts.read()["6_git"]["apt_versions"].items():
        name, number = re.match(r"([a-z]+)([0-9.]*)", key).groups()  # type: ignore[union-attr]
        told = {
            str(fact[k]).split(" ")[0]
            for k in ("latest_public_seen", "main", "security", "release")
            if k in fact
        }
        assert key == "sid" or have[f"{name}@{number}"] in told, key  # sid is no release


def test_every_miniconda_has_the_python_of_the_facts(library: Library) -> None:
    miniconda = facts.component(library, "miniconda")
    inside = {"4.7.12.1": "4.7.12"}  # the file name has a build number that the conda in it has not
    assert all(
        f"/ {name}" in str(facts.read()["8_python_per_miniconda"]["unprefixed"]) for name in inside
    )
    for fact in facts.read()["1_miniconda"]["installers"]:
        key = fact["name"].removeprefix("Miniconda3-").partition("-Linux-")[0]
        if key in miniconda.versions:
            version = miniconda.versions[key]
            assert version.measure["version"] == inside.get(key, fact["conda_version"]), key
            assert fact.get("default_python") in (None, version.known("python_minor")), key
