#!/bin/sh
gcc "$PROGRAMS/version.c" -o version -ldl
