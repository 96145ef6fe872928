"""How the site lets Bakestone's own requests out and in: proxies, certificate authorities,
credentials.
"""

from __future__ import annotations

from typing import Any

import requests

from bakestone.clients.site.credentials import Login
from bakestone.clients.site.site import Site


def settings(site: Site, url: str) -> dict[str, Any]:
    """The arguments of `requests.request` for one URL.

    Raises `BakestoneError` when the secret for it cannot be read.

    They are given with each request: REQUESTS_CA_BUNDLE and proxies of the environment count for
    more than a session's.
    """
    ca, login = site.files.get("ca"), site.login(url)
    return {
        "auth": _Auth(login) if login else None,
        "proxies": site.proxies.choice(url),
        "verify": str(ca) if ca else True,
    }


class _Auth(requests.auth.AuthBase):
    """The site's credential for one URL.

    Without it, requests takes one of the URL or ~/.netrc; it drops each where a redirect leads
    away.
    """

    def __init__(self, login: Login) -> None:
        self.login = login

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self.login.authorization
        return request
