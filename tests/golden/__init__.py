"""Whole files, compared byte by byte."""
