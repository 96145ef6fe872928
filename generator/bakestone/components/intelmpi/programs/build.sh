#!/bin/sh
mpicc "$PROGRAMS/hello.c" -o hello
