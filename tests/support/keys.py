"""Recorded public keys of vendors that nobody has, and what gpg says of them."""

from __future__ import annotations

from pathlib import Path

KEYS = Path(__file__).parent / "recorded" / "keys"
"""first.asc, second.asc and third.gpg are a vendor's each; third.gpg has a subkey. stranger.asc is
somebody else's key that has the key of vendor.asc as its subkey, with a good signature of both.
"""
FIRST = "78ACE6C15A8269FBC7F2EB53FB03670C5D2EF165"
VENDOR = "A4BCF2A3E9963876439F27ABA6337940F1E20B1F"
STRANGER = "86A3D1645119A01A3D4013E857150E49475D56E1"
THIRD, THIRD_SUBKEY = (
    "517D4F3B265DAEDCB7F0ECFFF5E591FF814A3F5A",
    "26EA4F3B0B7073D77A65783EFAA49221AD4107CE",
)
