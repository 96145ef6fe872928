"""The Miniconda stage, with a stand-in for Anaconda's installer: the library's own URL, template
and inventory are used.
"""

from __future__ import annotations

from tests.e2e import components
from tests.e2e.engine import Engine
from tests.e2e.fileserver import FileServer
from tests.e2e.workspace import Workspace

VERSION, CONDA, PYTHON = "py313_26.5.3-1", "26.5.3", "3.13.7"

STAND_IN = f"""\
#!/bin/sh
# A stand-in for the Miniconda installer: takes -b, -f, -u and -p PREFIX, and lays down what the
# inventory asks for.
set -eu
prefix=
while getopts bfup: option; do
  case $option in
    p) prefix=$OPTARG ;;
    b|f|u) ;;
    *) exit 2 ;;
  esac
done
mkdir -p "$prefix/bin" "$prefix/conda-meta" "$prefix/pkgs/cache"
date > "$prefix/conda-meta/history"
echo downloaded > "$prefix/pkgs/cache/index"
cat > "$prefix/bin/conda" <<'PROGRAM'
#!/bin/sh
case "$1" in
  --version) echo conda {CONDA} ;;
  info) echo '{{"conda_version": "{CONDA}", "root_prefix": "/opt/miniconda"}}' ;;
  list) echo "# packages in environment" ;;
esac
PROGRAM
cat > "$prefix/bin/python" <<'PROGRAM'
#!/bin/sh
if grep -q 'sys.version_info'; then
  echo python={PYTHON}
  echo python_minor=3.13
fi
PROGRAM
chmod 755 "$prefix/bin/conda" "$prefix/bin/python"
"""


def test_miniconda_installer_becomes_a_layer_below_its_prefix(
    workspace: Workspace, vendor: FileServer, engine: Engine
) -> None:
    url = _pin_the_stand_in(workspace)
    vendor.files[f"/{url.rpartition('/')[2]}"] = STAND_IN.encode()
    workspace.site(urls={url.rpartition("/")[0] + "/": vendor.url})
    axes = {"distro": ["debian@12"], "conda": [f"miniconda@{VERSION}"]}
    workspace.images({"name": "conda", "axes": axes, "name_slots": ["conda", "distro"]})
    workspace.lock_and_generate()
    workspace.bakestone("build", "--push")
    (image,) = workspace.release()["images"]
    measured = image["inventory"]["components"]["conda"]["measured"]
    assert int(measured.pop("bytes")) > 0
    assert measured == {"version": CONDA, "python": PYTHON, "python_minor": "3.13"}
    said = engine.run(
        f"{image['repository']}:{image['tag']}",
        "id -un; conda --version; ls /opt/miniconda /opt/miniconda/pkgs",
    )
    assert said.split() == [
        "dockeruser",
        "conda",
        CONDA,
        "/opt/miniconda:",
        "bin",
        "conda-meta",
        "pkgs",
        "/opt/miniconda/pkgs:",
    ]


def _pin_the_stand_in(workspace: Workspace) -> str:
    """The library's Miniconda as a team's own, with the stand-in's checksum.

    Gives the installer's URL.
    """
    versions = components.copy_component("miniconda", workspace.components)
    artifacts = versions["versions"][VERSION]["methods"]["installer"]["artifacts"]
    (artifact,) = (a for a in artifacts if a["platform"] == "linux/amd64")
    artifact["sha256"] = components.digest(STAND_IN.encode())
    components.write_versions("miniconda", workspace.components, versions)
    url: str = artifact["url"]
    return url
