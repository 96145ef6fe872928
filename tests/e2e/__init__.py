"""End to end: the command `bakestone` against a real engine and a real registry; nothing is mocked.

Two things are stand-ins, because a test must be able to alter them, and both
say so where they are used: files of vendors (a small HTTP server on this
machine, reached through the site's mirrors) and the Miniconda installer.
"""
