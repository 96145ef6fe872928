/* Opens the cuDNN library the way a program finds it, prints the version that it reports,
   and opens its parts (libcudnn_*.so.N beside it), so that a missing dependency shows. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <glob.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    size_t (*get_version)(void);
    char path[4096], pattern[4608];
    const char *major, *error;
    void *library;
    Dl_info where;
    glob_t parts;
    size_t v, i;

    if (argc != 2 || !(major = strrchr(argv[1], '.')))
        return 2;
    library = dlopen(argv[1], RTLD_NOW);
    if (!library) {
        fprintf(stderr, "version: %s\n", dlerror());
        return 1;
    }
    *(void **)&get_version = dlsym(library, "cudnnGetVersion");
    if (!get_version || !dladdr(*(void **)&get_version, &where)) {
        fprintf(stderr, "version: there is no cudnnGetVersion in %s\n", argv[1]);
        return 1;
    }
    v = get_version();

    snprintf(path, sizeof path, "%s", where.dli_fname);
    snprintf(pattern, sizeof pattern, "%s/libcudnn_*.so%s", dirname(path), major);
    if (glob(pattern, 0, NULL, &parts) == 0) {
        for (i = 0; i < parts.gl_pathc; i++) {
            if (!dlopen(parts.gl_pathv[i], RTLD_NOW)) {
                error = dlerror();
                fprintf(stderr, "version: %s\n", error);
                /* the driver's library comes from the machine that has the GPU, not from the image */
                if (strncmp(error, "libcuda.so.1:", 13) != 0)
                    return 1;
            }
        }
    }

    /* cudnn_version.h: up to 8 major * 1000 + minor * 100 + patch, from 9 on major * 10000 + minor * 100 + patch */
    if (v < 90000)
        printf("%zu.%zu.%zu\n", v / 1000, v / 100 % 10, v % 100);
    else
        printf("%zu.%zu.%zu\n", v / 10000, v / 100 % 100, v % 100);
    return 0;
}
