/* Opens the NCCL library the way a program finds it and prints the version that the library reports. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
    int (*get_version)(int *), v = 0, factor;

    *(void **)&get_version = library ? dlsym(library, "ncclGetVersion") : NULL;
    if (!get_version || get_version(&v) != 0) {
        fprintf(stderr, "version: %s\n", get_version ? "ncclGetVersion does not answer" : dlerror());
        return 1;
    }
    /* nccl.h: up to 2.8 major * 1000 + minor * 100 + patch, from 2.9 on major * 10000 + minor * 100 + patch */
    factor = v < 10000 ? 1000 : 10000;
    printf("%d.%d.%d\n", v / factor, v % factor / 100, v % 100);
    return 0;
}
