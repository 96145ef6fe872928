"""A site file that says everything, and the secret files that it names."""

from __future__ import annotations

from pathlib import Path

SITE = """\
version: 1
registry: other.example.com/images
insecure: ["mirror.example.com:5000"]
mirrors:
  registries:
    docker.io/library: mirror.example.com:5000/library
    docker.io: mirror.example.com:5000/hub
  urls:
    https://download.open-mpi.org/: https://files.example.com/open-mpi/
ca: ca.pem
pip: pip.conf
apt: apt.conf
proxies: {http: "http://proxy.example.com:3128", no_proxy: [.example.com]}
credentials:
  - {host: files.example.com, username: ci, password: {env: BAKESTONE_TEST_PASSWORD}}
only_locked: true
builder: big
push: export
pins: {debian: versions, "ubuntu@22.*": frozen}
"""
SECRETS = {
    "ca.pem": "-----BEGIN CERTIFICATE-----\n",
    "pip.conf": "[global]\nindex-url = https://user:hunter2@pypi.example.com/\n",
    "apt.conf": "x y;\n",
}


def with_secrets(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in SECRETS.items():
        (folder / name).write_text(text, "utf-8")
    path = folder / "site.yaml"
    path.write_text(SITE, "utf-8")
    return path
