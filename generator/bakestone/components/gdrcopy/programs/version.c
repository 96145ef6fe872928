/* Prints the version of the GDRCopy library that it is linked with, when that is of the headers' version. */
#include <gdrapi.h>
#include <stdio.h>

int main(void)
{
    int major = 0, minor = 0;

    gdr_runtime_get_version(&major, &minor);
    if (major != GDR_API_MAJOR_VERSION || minor != GDR_API_MINOR_VERSION) {
        fprintf(stderr, "version: the header is of %d.%d, the library is %d.%d\n", GDR_API_MAJOR_VERSION, GDR_API_MINOR_VERSION, major, minor);
        return 1;
    }
    printf("%d.%d\n", major, minor);
    return 0;
}
