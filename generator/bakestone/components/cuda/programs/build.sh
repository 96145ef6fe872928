#!/bin/sh
nvcc "$PROGRAMS/kernel.cu" -o kernel
nvcc -cubin -Xptxas -v "$PROGRAMS/kernel.cu" -o kernel.cubin 2>ptxas.txt || { cat ptxas.txt >&2; exit 1; }
nvcc "$PROGRAMS/cublas.cu" -o cublas -lcublas >cublas.txt 2>&1 || echo "cuda: no cuBLAS to compile with here" >&2
