"""What networks and engines do to a test that is right: such a test is tried once more."""

from __future__ import annotations

TRIES = {"reruns": 1, "reruns_delay": 15}
"""Once more, after the seconds that a network or an engine usually needs to come back."""

PATTERNS = (
    r"(?i)timed out",
    r"(?i)connection reset",
    r"(?i)connection refused",
    r"(?i)could not connect",
    r"(?i)unable to connect",
    r"(?i)no such job",  # buildx, now and then, when a build was cancelled before this one
    r"(?i)tls handshake timeout",
    r"(?i)unexpected eof",
    r"(?i)temporary failure",
    r"TimeoutExpired",
)
"""Regular expressions for `TYPE: MESSAGE` of what a test failed with."""
