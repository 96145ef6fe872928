/* Opens the NVSHMEM library the way a program finds it and prints the version that the library reports. */
#include <dlfcn.h>
#include <stdio.h>

int main(void)
{
    void (*get_version)(int *, int *, int *);
    void *library = dlopen("libnvshmem_host.so.3", RTLD_NOW);
    int major = 0, minor = 0, patch = 0;

    if (!library) {
        fprintf(stderr, "version: %s\n", dlerror());
        return 1;
    }
    *(void **)&get_version = dlsym(library, "nvshmemx_vendor_get_version_info");
    if (!get_version) {
        fprintf(stderr, "version: nvshmemx_vendor_get_version_info is not there\n");
        return 1;
    }
    get_version(&major, &minor, &patch);
    printf("%d.%d.%d\n", major, minor, patch);
    return 0;
}
