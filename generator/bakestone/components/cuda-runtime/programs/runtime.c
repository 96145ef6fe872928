/* Linked with the CUDA runtime library; prints the version that the library reports, which needs no GPU. */
#include <stdio.h>

#if __has_include(<cuda_runtime_api.h>)
#include <cuda_runtime_api.h>
#else
/* NVIDIA's runtime images have the library without its headers */
extern int cudaRuntimeGetVersion(int *version);
#endif

int main(void)
{
    int version = 0;

    if (cudaRuntimeGetVersion(&version) != 0) {
        fprintf(stderr, "runtime: cudaRuntimeGetVersion does not answer\n");
        return 1;
    }
    printf("%d.%d\n", version / 1000, version % 1000 / 10);
    return 0;
}
