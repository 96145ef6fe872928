"""The user of a family's images: what the base image has already cannot be made."""

from __future__ import annotations

from collections.abc import Iterator

from bakestone.core.library.component import packages_for
from bakestone.core.matrix.spec import Family
from bakestone.core.matrix.variant import Chosen
from bakestone.errors import Finding


def check(family: Family, distro: Chosen) -> Iterator[Finding]:
    """A finding where the user's name or id, or its group's name, is taken on a distro."""
    user, where = family.user, family.user.where or family.where
    there = packages_for(distro.component.users, distro.line) or ()
    ids = {uid: name for name, _, uid in (text.partition(":") for text in there)}
    names = [text.partition(":")[0] for text in there]
    if user.name in names:
        why = f"{distro.text} has a user {user.name} already"
        yield Finding(why, "choose another name under `user`", where)
    elif user.name in (packages_for(distro.component.groups, distro.line) or ()):
        why = f"{distro.text} has a group {user.name} already, as the user's own would be called"
        yield Finding(why, "choose another name under `user`", where)
    if str(user.uid) in ids and ids[str(user.uid)] != user.name:
        why = f"{distro.text} has a user of the id {user.uid} already: {ids[str(user.uid)]}"
        yield Finding(why, "choose another `uid` under `user`", where)
