/* Prints the version of the PMIx library that it is linked with, when that is the one of the headers and it starts. */
#include <pmix.h>
#include <pmix_tool.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    const char *said = PMIx_Get_version();
    char version[64] = "", headers[64] = "";
    bool alone = true;
    pmix_proc_t myself;
    pmix_info_t info;
    pmix_status_t status;

    if (sscanf(said, "%*[^0-9]%63[0-9A-Za-z.]", version) != 1) {
        fprintf(stderr, "version: the library says %s\n", said);
        return 1;
    }
    snprintf(headers, sizeof headers, "%d.%d.%d", (int)PMIX_VERSION_MAJOR, (int)PMIX_VERSION_MINOR, (int)PMIX_VERSION_RELEASE);
    if (strcmp(version, headers) != 0) {
        fprintf(stderr, "version: the headers are of %s, the library is %s\n", headers, version);
        return 2;
    }
    /* its threads, its plugins and what they are linked with; there is no server here */
    PMIX_INFO_LOAD(&info, PMIX_TOOL_DO_NOT_CONNECT, &alone, PMIX_BOOL);
    status = PMIx_tool_init(&myself, &info, 1);
    if (status != PMIX_SUCCESS || PMIx_tool_finalize() != PMIX_SUCCESS) {
        fprintf(stderr, "version: PMIx does not start: %s\n", PMIx_Error_string(status));
        return 3;
    }
    puts(version);
    return 0;
}
