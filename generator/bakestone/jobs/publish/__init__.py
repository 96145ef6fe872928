"""`build`: build, measure, push, release."""
