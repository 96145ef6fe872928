"""images.yaml as people write it: most of it right, and some of it altered."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.campaign.hostile import altered

DISTROS = ["debian@12", "debian@13", "ubuntu@22.04", "ubuntu@24.04", "ubuntu@26.04", "rocky@9"]
MPI = ["openmpi@5.0.10", "openmpi@4.1.8", "intelmpi@2021.16.1", "mpich@5.0.1"]
CONDA = ["miniforge@26.3.2-3", "miniconda@py313_26.5.3-1"]
GPU = [
    {"cuda": "13.0.2", "cudnn": "9.14.0.64", "nccl": "2.27.7"},
    {"cuda": "13.0.2"},
    {"cuda": "12.8.1", "cudnn": "9.8.0.87", "nccl": "2.25.1"},
]
PACKAGES = ["curl", "wget", "fuse3", "openssh-client", "vim"]
NAMES = ["cpu", "gpu", "base-images", "x2"]


@st.composite
def families(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """One family, whose combinations mostly pass."""
    axes: dict[str, Any] = {"distro": draw(_some(DISTROS, 2))}
    if draw(st.booleans()):
        axes["mpi"] = draw(_some(MPI, 2)) + (["none"] if draw(st.booleans()) else [])
    if draw(st.booleans()):
        axes["gpu"] = draw(_some(GPU, 1)) + (["none"] if draw(st.booleans()) else [])
    if draw(st.booleans()):
        axes["conda"] = draw(_some(CONDA, 1))
    family: dict[str, Any] = {"name": name, "axes": axes}
    methods = {}
    if draw(st.booleans()):
        methods = {"openmpi": draw(st.sampled_from(["wheel", "source"]))}
    if "gpu" in axes and draw(st.booleans()):
        methods |= dict.fromkeys(("cuda", "cudnn", "nccl"), "wheel")
    extra = {
        "description": "images of a team",
        "methods": methods,
        "platforms": draw(_some(["linux/amd64", "linux/arm64"], 2)),
        "packages": draw(_some(PACKAGES, 3)),
        "user": draw(st.sampled_from(["worker", "runner", {"name": "worker", "uid": 4242}])),
        "roles": draw(st.sampled_from([["devel"], ["runtime"], ["devel", "runtime"]])),
        "max-age": "30d",
        "max-size": "20GB",
        "end_of_life": "ignore",
    }
    for key in draw(_some(sorted(extra), 4)):
        if extra[key]:
            family[key] = extra[key]
    if len(axes["distro"]) > 1 and draw(st.booleans()):
        out = {"distro": axes["distro"][0], "because": "it was asked for by nobody"}
        family["exclude"] = [out]
    return family


@st.composite
def right(draw: st.DrawFn) -> dict[str, Any]:
    """A whole images.yaml."""
    names = draw(_some(NAMES, 2))
    return {
        "version": 1,
        "registry": "localhost:5000/base",
        "accept": ["anaconda-terms", "intel-eula", "nvidia-eula"],
        "families": [draw(families(name)) for name in names],
    }


@st.composite
def any_of(draw: st.DrawFn) -> dict[str, Any]:
    """Half of them as they are, half altered in one to three places."""
    whole = draw(right())
    if draw(st.booleans()):
        return whole
    made: dict[str, Any] = draw(altered(whole, st.integers(1, 3)))
    return made


def _some(values: list[Any], most: int) -> st.SearchStrategy[list[Any]]:
    indices = st.lists(
        st.integers(0, len(values) - 1), min_size=1, max_size=min(most, len(values)), unique=True
    )
    return indices.map(lambda found: [values[index] for index in found])
