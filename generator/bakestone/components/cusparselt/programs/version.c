/* Opens the cuSPARSELt library the way a program finds it and prints the version that the library reports. */
#include <dlfcn.h>
#include <stdio.h>

int main(void)
{
    int (*get_property)(int, int *);
    void *library = dlopen("libcusparseLt.so.0", RTLD_NOW);
    int number[3] = {0, 0, 0}; /* MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL of library_types.h */

    if (!library) {
        fprintf(stderr, "version: %s\n", dlerror());
        return 1;
    }
    *(void **)&get_property = dlsym(library, "cusparseLtGetProperty");
    for (int part = 0; part < 3; part++)
        if (!get_property || get_property(part, &number[part]) != 0) {
            fprintf(stderr, "version: cusparseLtGetProperty does not answer\n");
            return 1;
        }
    printf("%d.%d.%d\n", number[0], number[1], number[2]);
    return 0;
}
