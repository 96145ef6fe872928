#!/bin/sh
echo 'int main(void) { return 0; }' >t.c
gcc t.c -o t
