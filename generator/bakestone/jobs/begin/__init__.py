"""`init`: the first files of a team."""
