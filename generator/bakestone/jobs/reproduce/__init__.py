"""`reproduce`: the same image again, compared byte by byte."""
