"""An SBOM as SPDX 2.3 JSON (spdx.github.io/spdx-spec/v2.3).

Pure: the same parts give the same bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from bakestone import __version__
from bakestone.core.render.measured import Json
from bakestone.jobs.publish.attest.contents import NAMED, Part

PREDICATE = "https://spdx.dev/Document"
NOTHING = "NOASSERTION"
PURPOSES = {
    "image": "CONTAINER",
    "base": "CONTAINER",
    "component": "APPLICATION",
    "package": "LIBRARY",
    "source": "ARCHIVE",
}
IMAGE = "SPDXRef-Image"


def document(name: str, purl: str, digest: str, epoch: int, found: Sequence[Part]) -> Json:
    """The SBOM of a platform's image, which `name` and `purl` name: `digest` is its manifest's,
    `epoch` the seconds of its time stamp.
    """
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    sha256 = digest.removeprefix("sha256:")
    ids = {part.of: _id(part) for part in found if part.role == "component"}
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE)]
    for part in found:
        here = _id(part)
        match part.role:
            case "base":
                relations.append((IMAGE, "DESCENDANT_OF", here))
            case "source":
                relations.append((ids[part.of], "GENERATED_FROM", here))
            case _:
                relations.append((IMAGE, "CONTAINS", here))
    image = _package(IMAGE, Part("image", name, digest, purl, sha256))
    licences: dict[str, list[Part]] = {}
    for part in found:
        for licence in set(NAMED.findall(part.licence)):
            licences.setdefault(licence, []).append(part)
    out: Json = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"https://bakestone.invalid/spdx/{sha256}",
        "creationInfo": {"created": created, "creators": [f"Tool: bakestone-{__version__}"]},
        "documentDescribes": [IMAGE],
        "packages": [image, *(_package(_id(part), part) for part in found)],
        "relationships": [
            {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
            for one, kind, other in relations
        ],
    }
    if licences:
        out["hasExtractedLicensingInfos"] = [_licence(*entry) for entry in sorted(licences.items())]
    return out


def _package(name: str, part: Part) -> Json:
    measured = ", ".join(f"{key} {value}" for key, value in part.facts.items())
    comments = part.comment, f"measured in the image: {measured}" if measured else ""
    sums = [{"algorithm": "SHA256", "checksumValue": part.sha256}] if part.sha256 else []
    kind = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl"}
    plain = {
        "SPDXID": name,
        "name": part.name,
        "versionInfo": part.version,
        "primaryPackagePurpose": PURPOSES[part.role],
        "downloadLocation": part.location or NOTHING,
        "filesAnalyzed": False,
        "supplier": NOTHING,
        "licenseConcluded": NOTHING,
        "licenseDeclared": part.licence or NOTHING,
        "copyrightText": NOTHING,
        "homepage": part.homepage,
        "checksums": sums,
        "externalRefs": [kind | {"referenceLocator": part.purl}] if part.purl else [],
        "comment": "; ".join(filter(None, comments)),
    }
    return {key: value for key, value in plain.items() if value not in ("", [])}


def _id(part: Part) -> str:
    """An id that is the part's own, whatever else is in the document."""
    key = "\0".join((part.role, part.name, part.version, part.purl, part.of))
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", part.name).strip("-")
    return f"SPDXRef-{part.role}-{readable}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def _licence(name: str, found: Sequence[Part]) -> Json:
    """A licence that SPDX has no name for: what its packages say, or where to read it."""
    pages = sorted({part.homepage for part in found if part.homepage})
    titles = ", ".join(sorted({part.name for part in found}))
    texts = sorted({part.licence_text for part in found if part.licence_text})
    return {
        "licenseId": name,
        "name": texts[0] if texts else name.removeprefix("LicenseRef-"),
        "extractedText": "; ".join(texts)
        or f"The licence of {titles}: {' '.join(pages) or NOTHING}",
    }
