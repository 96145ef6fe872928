// Prints the version that the cuBLAS library reports, if it was built for this major of CUDA; needs no GPU.
#include <cstdio>
#include <cublas_v2.h>
#include <dlfcn.h>

int main()
{
    int major = 0, minor = 0, patch = 0;

    if (cublasGetProperty(MAJOR_VERSION, &major) != CUBLAS_STATUS_SUCCESS ||
        cublasGetProperty(MINOR_VERSION, &minor) != CUBLAS_STATUS_SUCCESS ||
        cublasGetProperty(PATCH_LEVEL, &patch) != CUBLAS_STATUS_SUCCESS) {
        std::fprintf(stderr, "cublas: cublasGetProperty does not answer\n");
        return 1;
    }
    size_t (*toolkit)(void) = (size_t (*)(void))dlsym(RTLD_DEFAULT, "cublasGetCudartVersion");
    if (toolkit && toolkit() / 1000 != CUDART_VERSION / 1000) {
        std::fprintf(stderr, "cublas: it was built for CUDA %zu.%zu\n", toolkit() / 1000, toolkit() / 10 % 100);
        return 1;
    }
    std::printf("%d.%d.%d\n", major, minor, patch);
    return 0;
}
