#!/bin/sh
case $VERSION in 8.*) ;; *) gcc "$PROGRAMS/version.c" -o version -ldl ;; esac # 8 is asked through its Python package
