"""Names -> digests, checksums, exact versions: everything that `bakestone lock` asks the world."""
