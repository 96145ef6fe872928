"""The site file of an archive: one that loads, and leads everything to its server."""

from __future__ import annotations

from pathlib import Path

from bakestone.clients.site.site import Site, load
from bakestone.jobs.archive.serve import sitefile
from tests.support.archives import filled


def test_the_site_file_is_one_that_loads_and_maps_everything(tmp_path: Path) -> None:
    _, catalog = filled(tmp_path / "archive")
    own = Site(registry="registry.example.com/base", insecure=("registry.lab:5000",), builder="big")
    site = load(
        sitefile.write(tmp_path / "site", catalog, own, "localhost:8650", "172.17.0.1:8650")
    )
    assert (
        site.mirror("docker.io/library/debian:12") == "localhost:8650/docker.io/library/debian:12"
    )
    assert (
        site.urls["https://files.example.com/"]
        == "http://172.17.0.1:8650/url/https/files.example.com/"
    )
    assert (site.registry, site.insecure, site.builder) == (own.registry, own.insecure, own.builder)
    assert 'Proxy "http://172.17.0.1:8650/"' in site.files["apt"].read_text("utf-8")
    assert "index-url = http://172.17.0.1:8650/simple/" in site.files["pip"].read_text("utf-8")
