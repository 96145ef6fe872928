/* Prints the version of the UCX library that it is linked with, when that is of the release of the headers. */
#include <stdio.h>
#include <ucp/api/ucp.h>

int main(void)
{
    unsigned major = 0, minor = 0, release = 0;
    ucp_params_t params = {.field_mask = UCP_PARAM_FIELD_FEATURES, .features = UCP_FEATURE_TAG};
    ucp_context_h context;

    ucp_get_version(&major, &minor, &release);
    if (major != UCP_API_MAJOR || minor != UCP_API_MINOR) {
        fprintf(stderr, "version: the headers are of %d.%d, the library is %u.%u\n", UCP_API_MAJOR, UCP_API_MINOR, major, minor);
        return 1;
    }
    if (ucp_init(&params, NULL, &context) != UCS_OK) {
        fprintf(stderr, "version: UCX does not start\n");
        return 2;
    }
    ucp_cleanup(context);
    printf("%u.%u.%u\n", major, minor, release);
    return 0;
}
