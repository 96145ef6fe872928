"""A base image of a team's own, named in images.yaml: a distro made from the data of the one that
it is like.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bakestone.core.documents import schema
from bakestone.core.library.component import Component
from bakestone.core.library.version import texts
from bakestone.errors import Finding, Position

_OF_THE_IMAGE = ("digest", "kind", "platforms", "serial", "note", "confidence")
"""What versions.yaml says of the distro's own image, and of no other."""


@dataclass(frozen=True)
class OwnBase:
    """What images.yaml says of it: `image` is HOST/REPOSITORY:TAG, with or without its digest, or
    HOST/REPOSITORY@DIGEST; `like` is component@version of a distro; `name` and `version` are empty
    where they follow from the image.
    """

    image: str
    like: str
    name: str = ""
    version: str = ""

    @property
    def digest(self) -> str:
        """The one that the file says, or empty: then the lock asks the registry."""
        return self.image.partition("@")[2]

    @property
    def ref(self) -> str:
        """The image as the lock names it: by its digest where the file says one."""
        return f"{self._repository}@{self.digest}" if self.digest else self.image

    @property
    def component(self) -> str:
        """Its name: the last part of the repository's, where none is said."""
        return self.name or self._repository.rpartition("/")[2]

    @property
    def release(self) -> str:
        """Its version: the tag, else that of what it is like, where none is said."""
        _, _, tag = self.image.partition("@")[0].rpartition("/")[2].partition(":")
        return self.version or tag or self.like.partition("@")[2]

    @property
    def _repository(self) -> str:
        path, _, last = self.image.partition("@")[0].rpartition("/")
        return f"{path}/{last.partition(':')[0]}"

    def distro(self, like: Component) -> Component:
        """The component: all data of the distro that it is like, on its own image."""
        wanted = self.like.partition("@")[2]
        known = like.versions[wanted]
        data = {key: text for key, text in known.data.items() if key not in _OF_THE_IMAGE}
        data |= {
            "image": self.ref,
            "like": self.like,
            "measure": {"version": wanted, **known.measure},
            "source": f"as of {self.like}: {texts(known.data.get('source', 'its component'))}",
        }
        if self.digest:
            data["digest"] = self.digest
        name = self.component
        return replace(
            like,
            name=name,
            data=like.data
            | {"component": name, "title": name, "label": f"{name}{{{{ version }}}}"},
            overlays=(),
            given={self.release: data},
        )

    def odd(self, where: Position) -> Finding | None:
        """Why its name or version is none, where it follows from the image."""
        if not schema.fits(self.component, "component", "component"):
            why = f"{self.component[:60]}, from the image, is no name of a component"
            return Finding(why, "say one: `name: golden`", where)
        if not schema.fits(self.release, "versions", "version"):
            why = f"{self.release[:60]}, the image's tag, is no version"
            return Finding(why, 'say one: `version: "1"`', where)
        return None
