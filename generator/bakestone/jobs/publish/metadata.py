"""Where images come from: the site file says it, else the CI's environment, else git."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bakestone.clients import git
from bakestone.core.render.metadata import Metadata, without_account


def gather(said: Metadata, folder: Path, environment: Mapping[str, str]) -> Metadata:
    """What `said`, of the site file, leaves open is taken from GitHub's variables, then from the
    repository that the folder of images.yaml is in.

    What these have that no annotation may hold is left out. An account in a URL is taken out.
    """
    server, name = environment.get("GITHUB_SERVER_URL", ""), environment.get("GITHUB_REPOSITORY")
    source = without_account(f"{server}/{name}") if server and name else ""
    run = Metadata(source=source, revision=environment.get("GITHUB_SHA", "")).fitting()
    if (said.source or run.source) and (said.revision or run.revision):
        return said.over(run)
    here = Metadata(without_account(git.remote(folder)), git.commit(folder)).fitting()
    return said.over(run).over(here)
