// Prints the version that the cuBLAS library reports; needs no GPU.
#include <cstdio>
#include <cublas_v2.h>

int main()
{
    int major = 0, minor = 0, patch = 0;

    if (cublasGetProperty(MAJOR_VERSION, &major) != CUBLAS_STATUS_SUCCESS ||
        cublasGetProperty(MINOR_VERSION, &minor) != CUBLAS_STATUS_SUCCESS ||
        cublasGetProperty(PATCH_LEVEL, &patch) != CUBLAS_STATUS_SUCCESS) {
        std::fprintf(stderr, "cublas: cublasGetProperty does not answer\n");
        return 1;
    }
    std::printf("%d.%d.%d\n", major, minor, patch);
    return 0;
}
