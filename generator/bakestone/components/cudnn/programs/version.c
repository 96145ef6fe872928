/* Opens the cuDNN library the way a program finds it and the parts that are named besides, so that a missing dependency
   shows; prints the version that the library reports, where it is, and the CUDA it was built for. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL, *get_version, *get_toolkit;
    size_t v, factor;
    Dl_info where;

    get_version = library ? dlsym(library, "cudnnGetVersion") : NULL;
    if (!get_version || !dladdr(get_version, &where)) {
        fprintf(stderr, "version: %s\n", dlerror());
        return 1;
    }
    for (argv += 2; *argv; argv++) {
        const char *error = dlopen(*argv, RTLD_NOW) ? NULL : dlerror();
        /* the driver's library comes from the machine that has the GPU, not from the image */
        if (error && strncmp(error, "libcuda.so.1:", 13) != 0) {
            fprintf(stderr, "version: %s\n", error);
            return 1;
        }
    }
    /* cudnn_version.h: up to 8 major * 1000 + minor * 100 + patch, from 9 on major * 10000 + minor * 100 + patch */
    v = ((size_t (*)(void))get_version)();
    factor = v < 90000 ? 1000 : 10000;
    printf("version=%zu.%zu.%zu\nfolder=%s\n", v / factor, v % factor / 100, v % 100, dirname(strdup(where.dli_fname)));
    if ((get_toolkit = dlsym(library, "cudnnGetCudartVersion"))) {
        v = ((size_t (*)(void))get_toolkit)();
        printf("toolkit=%zu.%zu\n", v / 1000, v / 10 % 100);
    }
    return 0;
}
