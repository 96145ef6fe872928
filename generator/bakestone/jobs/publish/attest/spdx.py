"""An SBOM as SPDX 2.3 JSON (spdx.github.io/spdx-spec/v2.3).

Pure: the same parts give the same bytes.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Sequence

from bakestone import __version__
from bakestone.core.render.measured import Json
from bakestone.jobs.publish.attest.contents import Part

PREDICATE = "https://spdx.dev/Document"
NOTHING = "NOASSERTION"
PURPOSES = {
    "base": "CONTAINER",
    "component": "APPLICATION",
    "package": "LIBRARY",
    "source": "ARCHIVE",
    "tool": "LIBRARY",
}
IMAGE = "SPDXRef-Image"


def document(name: str, purl: str, digest: str, epoch: int, found: Sequence[Part]) -> Json:
    """The SBOM of a platform's image:

    `name` and `purl` name it, `digest` is its manifest's, `epoch` the seconds of its time stamp.
    """
    ids = {id(part): _id(part) for part in found}
    by_slot = {part.of: ids[id(part)] for part in found if part.role == "component"}
    image = {
        "SPDXID": IMAGE,
        "name": name,
        "versionInfo": digest,
        "primaryPackagePurpose": "CONTAINER",
        "downloadLocation": NOTHING,
        "filesAnalyzed": False,
        "supplier": NOTHING,
        "licenseConcluded": NOTHING,
        "licenseDeclared": NOTHING,
        "copyrightText": NOTHING,
        "checksums": [{"algorithm": "SHA256", "checksumValue": digest.removeprefix("sha256:")}],
        "externalRefs": [_purl(purl)],
    }
    relations = [_relation("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE)]
    for part in found:
        here = ids[id(part)]
        if part.role == "base":
            relations.append(_relation(IMAGE, "DESCENDANT_OF", here))
        elif part.role in ("component", "package"):
            relations.append(_relation(IMAGE, "CONTAINS", here))
        elif part.role == "source":
            relations.append(_relation(by_slot[part.of], "GENERATED_FROM", here))
        else:
            relations.append(_relation(here, "BUILD_DEPENDENCY_OF", by_slot[part.of]))
    licences = sorted(
        {word for part in found for word in re.findall(r"LicenseRef-[A-Za-z0-9.-]+", part.licence)}
    )
    out: Json = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"https://bakestone.invalid/spdx/{digest.removeprefix('sha256:')}",
        "creationInfo": {"created": _time(epoch), "creators": [f"Tool: bakestone-{__version__}"]},
        "documentDescribes": [IMAGE],
        "packages": [image, *({"SPDXID": ids[id(part)]} | _package(part) for part in found)],
        "relationships": relations,
    }
    if licences:
        out["hasExtractedLicensingInfos"] = [_licence(name, found) for name in licences]
    return out


def _package(part: Part) -> Json:
    plain: Json = {"name": part.name}
    if part.version:
        plain["versionInfo"] = part.version
    plain |= {
        "primaryPackagePurpose": PURPOSES[part.role],
        "downloadLocation": part.location or NOTHING,
        "filesAnalyzed": False,
        "supplier": NOTHING,
        "licenseConcluded": NOTHING,
        "licenseDeclared": part.licence or NOTHING,
        "copyrightText": NOTHING,
    }
    if part.homepage:
        plain["homepage"] = part.homepage
    if part.sha256:
        plain["checksums"] = [{"algorithm": "SHA256", "checksumValue": part.sha256}]
    if part.purl:
        plain["externalRefs"] = [_purl(part.purl)]
    measured = ", ".join(f"{key} {value}" for key, value in part.facts.items())
    comment = "; ".join(
        text
        for text in (part.comment, f"measured in the image: {measured}" if measured else "")
        if text
    )
    return plain | ({"comment": comment} if comment else {})


def _id(part: Part) -> str:
    """An id that is the part's own, whatever else is in the document."""
    key = "\0".join((part.role, part.name, part.version, part.purl, part.of))
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", part.name).strip("-")
    return f"SPDXRef-{part.role}-{readable}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def _purl(purl: str) -> dict[str, str]:
    return {
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": purl,
    }


def _relation(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _licence(name: str, found: Sequence[Part]) -> Json:
    """Where to read a licence that SPDX has no name for."""
    pages = sorted({part.homepage for part in found if name in part.licence and part.homepage})
    titles = ", ".join(sorted({part.name for part in found if name in part.licence}))
    return {
        "licenseId": name,
        "name": name.removeprefix("LicenseRef-"),
        "extractedText": f"The licence of {titles}: {' '.join(pages) or NOTHING}",
    }


def _time(epoch: int) -> str:
    return datetime.datetime.fromtimestamp(epoch, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
