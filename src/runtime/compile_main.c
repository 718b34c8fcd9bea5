/* convoy-compile: compiles the programs of a request, which compile_job.c writes, so that the driver keeps them for others. Reads
 *
 *   convoy-compile VERSION
 *   device PLATFORM DEVICE
 *   options LENGTH, and in the next line the options
 *   program LENGTH LAUNCHES, and in the next line its text; for each launch of it
 *   launch KERNEL ARGUMENTS DIMS, a global and a local size for each dimension; for each argument a line:
 *   buffer BYTES, filled BYTES (of 0x3f), local BYTES, or value with four bytes in hexadecimal
 *
 * until its input ends. Writes a byte for each launch that was run, and exits with 0 when all were. */
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "convoy/version.h"

enum { MOST_ARGS = 512, MOST_PLATFORMS = 64, MOST_DEVICES = 64 };

typedef struct memory {
    void *host;
    size_t bytes;
    cl_mem mem;
} memory;

typedef struct compiler {
    FILE *in;
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    char *options;
    memory used[MOST_ARGS]; /* by a launch */
    int count;
} compiler;

/* `length` bytes and the end of the line; NULL when there are fewer. */
static char *read_block(FILE *in, size_t length)
{
    char *block = malloc(length + 1);
    if (block != NULL && fread(block, 1, length, in) == length && fgetc(in) == '\n') {
        block[length] = '\0';
        return block;
    }
    free(block);
    return NULL;
}

static bool open_device(compiler *c, unsigned platform, unsigned device)
{
    cl_platform_id platforms[MOST_PLATFORMS];
    cl_device_id devices[MOST_DEVICES];
    cl_uint count = 0;
    cl_int code;
    if (clGetPlatformIDs(MOST_PLATFORMS, platforms, &count) != CL_SUCCESS || platform >= count || platform >= MOST_PLATFORMS)
        return false;
    if (clGetDeviceIDs(platforms[platform], CL_DEVICE_TYPE_ALL, MOST_DEVICES, devices, &count) != CL_SUCCESS || device >= count ||
        device >= MOST_DEVICES)
        return false;
    c->device = devices[device];
    c->context = clCreateContext(NULL, 1, &c->device, NULL, NULL, &code);
    if (code != CL_SUCCESS)
        return false;
    c->queue = clCreateCommandQueue(c->context, c->device, 0, &code);
    return code == CL_SUCCESS;
}

static bool read_head(compiler *c)
{
    char version[64];
    unsigned platform, device;
    size_t length;
    if (fscanf(c->in, "convoy-compile %63s device %u %u options %zu", version, &platform, &device, &length) != 4 ||
        strcmp(version, CONVOY_VERSION) != 0 || fgetc(c->in) != '\n')
        return false;
    c->options = read_block(c->in, length);
    return c->options != NULL && open_device(c, platform, device);
}

/* Pages that nobody touches take no room. */
static bool set_memory(compiler *c, cl_kernel kernel, cl_uint index, size_t bytes, bool filled)
{
    cl_int code;
    memory *m = &c->used[c->count];
    *m = (memory){.bytes = bytes};
    m->host = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (m->host == MAP_FAILED)
        return false;
    c->count++;
    if (filled)
        memset(m->host, 0x3f, bytes);
    m->mem = clCreateBuffer(c->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, bytes, m->host, &code);
    return code == CL_SUCCESS && clSetKernelArg(kernel, index, sizeof m->mem, &m->mem) == CL_SUCCESS;
}

static bool set_arg(compiler *c, cl_kernel kernel, cl_uint index)
{
    char kind[8];
    size_t bytes;
    if (fscanf(c->in, "%7s", kind) != 1)
        return false;
    if (strcmp(kind, "value") == 0) {
        unsigned char value[4];
        return fscanf(c->in, " %2hhx%2hhx%2hhx%2hhx", &value[0], &value[1], &value[2], &value[3]) == 4 &&
               clSetKernelArg(kernel, index, sizeof value, value) == CL_SUCCESS;
    }
    if (fscanf(c->in, "%zu", &bytes) != 1)
        return false;
    if (strcmp(kind, "local") == 0)
        return clSetKernelArg(kernel, index, bytes, NULL) == CL_SUCCESS;
    return set_memory(c, kernel, index, bytes, strcmp(kind, "filled") == 0);
}

static bool release_memory(compiler *c)
{
    bool released = true;
    for (; c->count > 0; c->count--) {
        memory *m = &c->used[c->count - 1];
        released = (m->mem == NULL || clReleaseMemObject(m->mem) == CL_SUCCESS) && munmap(m->host, m->bytes) == 0 && released;
    }
    return released;
}

static bool run_launch(compiler *c, cl_program program)
{
    char name[160];
    unsigned args, dims;
    size_t global[3], local[3];
    cl_int code;
    if (fscanf(c->in, " launch %159s %u %u", name, &args, &dims) != 3 || args > MOST_ARGS || dims < 1 || dims > 3)
        return false;
    for (unsigned d = 0; d < dims; d++)
        if (fscanf(c->in, "%zu %zu", &global[d], &local[d]) != 2)
            return false;
    cl_kernel kernel = clCreateKernel(program, name, &code);
    bool right = code == CL_SUCCESS;
    for (unsigned a = 0; right && a < args; a++)
        right = set_arg(c, kernel, a);
    right = right && clEnqueueNDRangeKernel(c->queue, kernel, dims, NULL, global, local[0] ? local : NULL, 0, NULL, NULL) == CL_SUCCESS &&
            clFinish(c->queue) == CL_SUCCESS;
    return release_memory(c) && right && clReleaseKernel(kernel) == CL_SUCCESS && write(1, ".", 1) == 1;
}

static bool compile_program(compiler *c, size_t length, size_t launches)
{
    cl_int code;
    char *text = read_block(c->in, length);
    if (text == NULL)
        return false;
    cl_program program = clCreateProgramWithSource(c->context, 1, (const char **)&text, NULL, &code);
    free(text);
    if (code != CL_SUCCESS || clBuildProgram(program, 1, &c->device, c->options, NULL, NULL) != CL_SUCCESS)
        return false;
    for (size_t i = 0; i < launches; i++)
        if (!run_launch(c, program))
            return false;
    return clReleaseProgram(program) == CL_SUCCESS;
}

/* What is left open at a failure ends with the process. */
int main(void)
{
    compiler c = {.in = stdin};
    size_t length, launches;
    int found;
    if (!read_head(&c))
        return 1;
    while ((found = fscanf(c.in, " program %zu %zu", &length, &launches)) == 2)
        if (fgetc(c.in) != '\n' || !compile_program(&c, length, launches))
            return 1;
    free(c.options);
    return found == EOF && clReleaseCommandQueue(c.queue) == CL_SUCCESS && clReleaseContext(c.context) == CL_SUCCESS ? 0 : 1;
}
