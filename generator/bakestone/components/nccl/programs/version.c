/* Opens the NCCL library the way a program finds it and prints the version that the library reports. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    int (*get_version)(int *);
    void *library;
    int v = 0;

    if (argc != 2)
        return 2;
    library = dlopen(argv[1], RTLD_NOW);
    if (!library) {
        fprintf(stderr, "version: %s\n", dlerror());
        return 1;
    }
    *(void **)&get_version = dlsym(library, "ncclGetVersion");
    if (!get_version || get_version(&v) != 0) {
        fprintf(stderr, "version: ncclGetVersion does not answer\n");
        return 1;
    }
    /* nccl.h: up to 2.8 major * 1000 + minor * 100 + patch, from 2.9 on major * 10000 + minor * 100 + patch */
    if (v < 10000)
        printf("%d.%d.%d\n", v / 1000, v / 100 % 10, v % 100);
    else
        printf("%d.%d.%d\n", v / 10000, v / 100 % 100, v % 100);
    return 0;
}
