/* Linked with OpenCL's loader; squares numbers on Intel's CPU device and prints the version of its driver. */
#include <stdio.h>
#include <string.h>

/* as in the Khronos headers of OpenCL 1.2, which the runtime does not bring */
typedef void *handle;
extern int clGetPlatformIDs(unsigned, handle *, unsigned *);
extern int clGetPlatformInfo(handle, unsigned, size_t, void *, size_t *);
extern int clGetDeviceIDs(handle, unsigned long, unsigned, handle *, unsigned *);
extern int clGetDeviceInfo(handle, unsigned, size_t, void *, size_t *);
extern handle clCreateContext(const long *, unsigned, const handle *, void *, void *, int *);
extern handle clCreateCommandQueue(handle, handle, unsigned long, int *);
extern handle clCreateProgramWithSource(handle, unsigned, const char **, const size_t *, int *);
extern int clBuildProgram(handle, unsigned, const handle *, const char *, void *, void *);
extern handle clCreateKernel(handle, const char *, int *);
extern handle clCreateBuffer(handle, unsigned long, size_t, void *, int *);
extern int clSetKernelArg(handle, unsigned, size_t, const void *);
extern int clEnqueueNDRangeKernel(handle, handle, unsigned, const size_t *, const size_t *, const size_t *, unsigned,
                                  const handle *, handle *);
extern int clEnqueueReadBuffer(handle, handle, unsigned, size_t, size_t, void *, unsigned, const handle *, handle *);

enum { PLATFORM_VENDOR = 0x0903, DEVICE_TYPE_CPU = 2, DRIVER_VERSION = 0x102D, USE_HOST_PTR = 8, COUNT = 1024 };

static const char *kernel = "__kernel void square(__global int *numbers)\n"
                            "{ size_t i = get_global_id(0); numbers[i] = numbers[i] * numbers[i]; }\n";

static void check(int status, const char *what)
{
    if (status != 0) {
        fprintf(stderr, "compute: %s ends with %d\n", what, status);
        _Exit(1);
    }
}

int main(void)
{
    handle platforms[8], device = NULL, context, queue, program, square, buffer;
    unsigned count = 0;
    int status = 0, numbers[COUNT];
    size_t items = COUNT;
    char driver[100] = "", vendor[100];

    check(clGetPlatformIDs(8, platforms, &count), "clGetPlatformIDs");
    for (unsigned i = 0; i < count && i < 8 && !device; i++)
        if (clGetPlatformInfo(platforms[i], PLATFORM_VENDOR, sizeof vendor, vendor, NULL) == 0 && strstr(vendor, "Intel"))
            clGetDeviceIDs(platforms[i], DEVICE_TYPE_CPU, 1, &device, NULL);
    if (!device) {
        fprintf(stderr, "compute: none of %u OpenCL platforms is Intel's with a CPU device\n", count);
        return 1;
    }
    check(clGetDeviceInfo(device, DRIVER_VERSION, sizeof driver, driver, NULL), "clGetDeviceInfo");
    context = clCreateContext(NULL, 1, &device, NULL, NULL, &status);
    check(status, "clCreateContext");
    queue = clCreateCommandQueue(context, device, 0, &status);
    check(status, "clCreateCommandQueue");
    program = clCreateProgramWithSource(context, 1, &kernel, NULL, &status);
    check(status, "clCreateProgramWithSource");
    check(clBuildProgram(program, 1, &device, "", NULL, NULL), "clBuildProgram");
    square = clCreateKernel(program, "square", &status);
    check(status, "clCreateKernel");
    for (int i = 0; i < COUNT; i++)
        numbers[i] = i;
    buffer = clCreateBuffer(context, USE_HOST_PTR, sizeof numbers, numbers, &status);
    check(status, "clCreateBuffer");
    check(clSetKernelArg(square, 0, sizeof buffer, &buffer), "clSetKernelArg");
    check(clEnqueueNDRangeKernel(queue, square, 1, NULL, &items, NULL, 0, NULL, NULL), "clEnqueueNDRangeKernel");
    check(clEnqueueReadBuffer(queue, buffer, 1, 0, sizeof numbers, numbers, 0, NULL, NULL), "clEnqueueReadBuffer");
    for (int i = 0; i < COUNT; i++)
        check(numbers[i] != i * i, "the kernel's arithmetic");
    printf("driver=%s\n", driver);
    return 0;
}
