// Compiled by nvcc in the finished image. Prints the version of the CUDA runtime it is linked with, which needs no GPU;
// where there is a GPU, the kernel runs and its result is checked.
#include <cstdio>
#include <cuda_runtime.h>

extern "C" __global__ void bakestone_scale(float *values, float factor, int count)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count)
        values[i] *= factor;
}

int main()
{
    int version = 0, devices = 0;

    if (cudaRuntimeGetVersion(&version) != cudaSuccess) {
        std::fprintf(stderr, "kernel: cudaRuntimeGetVersion does not answer\n");
        return 1;
    }
    if (cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0) {
        const int count = 1000;
        float host[count], *device = NULL;
        for (int i = 0; i < count; i++)
            host[i] = (float)i;
        if (cudaMalloc((void **)&device, sizeof host) != cudaSuccess)
            return 2;
        cudaMemcpy(device, host, sizeof host, cudaMemcpyHostToDevice);
        bakestone_scale<<<(count + 255) / 256, 256>>>(device, 2.0f, count);
        cudaMemcpy(host, device, sizeof host, cudaMemcpyDeviceToHost);
        if (cudaGetLastError() != cudaSuccess || host[count - 1] != 2.0f * (count - 1)) {
            std::fprintf(stderr, "kernel: the GPU did not compute the right result\n");
            return 3;
        }
        std::fprintf(stderr, "kernel: ran on the GPU\n");
    } else {
        std::fprintf(stderr, "kernel: no GPU here, compiled and linked only\n");
    }
    std::printf("%d.%d\n", version / 1000, version % 1000 / 10);
    return 0;
}
