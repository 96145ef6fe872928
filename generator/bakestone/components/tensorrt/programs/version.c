/* Opens TensorRT's library the way a program finds it and the further ones that are named; prints the four numbers that it
   reports of itself, and where it is. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static const char *const parts[] = {"getInferLibMajorVersion", "getInferLibMinorVersion", "getInferLibPatchVersion",
                                    "getInferLibBuildVersion"};

int main(int argc, char **argv)
{
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    int numbers[4], i;
    Dl_info where;

    for (i = 0; i < 4; i++) {
        void *part = library ? dlsym(library, parts[i]) : NULL;
        if (!part || !dladdr(part, &where)) {
            fprintf(stderr, "version: %s\n", dlerror());
            return 1;
        }
        numbers[i] = ((int (*)(void))part)();
    }
    for (argv += 2; *argv; argv++) {
        const char *error = dlopen(*argv, RTLD_NOW) ? NULL : dlerror();
        /* the driver's library comes from the machine that has the GPU, not from the image */
        if (error && strncmp(error, "libcuda.so.1:", 13) != 0) {
            fprintf(stderr, "version: %s\n", error);
            return 1;
        }
    }
    printf("version=%d.%d.%d.%d\nfile=%s\n", numbers[0], numbers[1], numbers[2], numbers[3], where.dli_fname);
    return 0;
}
