/* Opens cuBLAS, cuFFT, cuRAND and NVRTC (file names as arguments, in this order) the way a program finds them, and prints
   what versions they report. NVRTC compiles a kernel; none of this needs a GPU. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *kernel = "extern \"C\" __global__ void bakestone_scale(float *values, float factor)\n"
                            "{ values[blockIdx.x * blockDim.x + threadIdx.x] *= factor; }\n";

static void *open_library(const char *name)
{
    void *library = dlopen(name, RTLD_NOW);

    if (!library) {
        fprintf(stderr, "libraries: %s\n", dlerror());
        exit(1);
    }
    return library;
}

static void *find(void *library, const char *name)
{
    void *found = dlsym(library, name);

    if (!found) {
        fprintf(stderr, "libraries: %s\n", dlerror());
        exit(1);
    }
    return found;
}

static void check(int status, const char *what)
{
    if (status != 0) {
        fprintf(stderr, "libraries: %s ends with %d\n", what, status);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    int (*get_property)(int, int *), (*get_version)(int *), (*nvrtc_version)(int *, int *);
    int (*create)(void **, const char *, const char *, int, const char **, const char **);
    int (*compile)(void *, int, const char **), (*ptx_size)(void *, size_t *), (*ptx)(void *, char *);
    size_t (*get_toolkit)(void);
    int major = 0, minor = 0, patch = 0;
    void *library, *program = NULL;
    size_t size = 0;
    char *text;

    if (argc != 5)
        return 2;

    *(void **)&get_property = find(open_library(argv[1]), "cublasGetProperty");
    check(get_property(0, &major), "cublasGetProperty");
    check(get_property(1, &minor), "cublasGetProperty");
    check(get_property(2, &patch), "cublasGetProperty");
    printf("cublas=%d.%d.%d\n", major, minor, patch);
    if ((*(void **)&get_toolkit = dlsym(library, "cublasGetCudartVersion")))
        printf("toolkit=%zu.%zu\n", get_toolkit() / 1000, get_toolkit() / 10 % 100);

    /* cufft.h, curand.h: major * 1000 + minor * 100 + patch */
    *(void **)&get_version = find(open_library(argv[2]), "cufftGetVersion");
    check(get_version(&major), "cufftGetVersion");
    printf("cufft=%d.%d.%d\n", major / 1000, major / 100 % 10, major % 100);
    *(void **)&get_version = find(open_library(argv[3]), "curandGetVersion");
    check(get_version(&major), "curandGetVersion");
    printf("curand=%d.%d.%d\n", major / 1000, major / 100 % 10, major % 100);

    library = open_library(argv[4]);
    *(void **)&nvrtc_version = find(library, "nvrtcVersion");
    check(nvrtc_version(&major, &minor), "nvrtcVersion");
    *(void **)&create = find(library, "nvrtcCreateProgram");
    *(void **)&compile = find(library, "nvrtcCompileProgram");
    *(void **)&ptx_size = find(library, "nvrtcGetPTXSize");
    *(void **)&ptx = find(library, "nvrtcGetPTX");
    check(create(&program, kernel, "kernel.cu", 0, NULL, NULL), "nvrtcCreateProgram");
    check(compile(program, 0, NULL), "nvrtcCompileProgram");
    check(ptx_size(program, &size), "nvrtcGetPTXSize");
    text = calloc(size + 1, 1);
    if (!text)
        return 1;
    check(ptx(program, text), "nvrtcGetPTX");
    if (!strstr(text, ".entry bakestone_scale")) {
        fprintf(stderr, "libraries: the kernel is missing in what NVRTC made\n");
        return 1;
    }
    free(text);
    printf("nvrtc=%d.%d\n", major, minor);
    return 0;
}
