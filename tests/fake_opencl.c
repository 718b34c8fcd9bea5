/* An OpenCL driver without devices behind it, for tests of listing and choosing: the environment says what it shows.
 *
 * FAKE_OPENCL: platforms separated by ';', devices by ',', each "type" or "type/flaw". "-" is a platform without a
 * device, "!" one whose clGetDeviceIDs fails. Types: gpu, accelerator, cpu. Flaws: where flaw_is is called. */
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#include <CL/cl.h>
#include <CL/cl_icd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 8

struct _cl_device_id {
    cl_icd_dispatch *dispatch;
    char type[16], flaw[16], name[64];
    cl_platform_id platform;
};

struct _cl_platform_id {
    cl_icd_dispatch *dispatch;
    char name[64];
    bool fails;
    cl_uint count;
    struct _cl_device_id devices[MOST];
};

static struct _cl_platform_id platforms[MOST];
static cl_uint platform_count;
static cl_icd_dispatch dispatch;

static cl_int answer(const void *value, size_t value_size, size_t size, void *out, size_t *size_out)
{
    if (out != NULL && size < value_size)
        return CL_INVALID_VALUE;
    if (out != NULL)
        memcpy(out, value, value_size);
    if (size_out != NULL)
        *size_out = value_size;
    return CL_SUCCESS;
}

static cl_int answer_text(const char *text, size_t size, void *out, size_t *size_out)
{
    return answer(text, strlen(text) + 1, size, out, size_out);
}

/* Not exported under its own name: that would resolve to the loader's function. */
static cl_int CL_API_CALL get_platform_info(cl_platform_id p, cl_platform_info key, size_t size, void *out,
                                            size_t *size_out)
{
    switch (key) {
    case CL_PLATFORM_NAME: return answer_text(p->name, size, out, size_out);
    case CL_PLATFORM_VENDOR: return answer_text("Fake", size, out, size_out);
    case CL_PLATFORM_VERSION: return answer_text("OpenCL 1.2 fake", size, out, size_out);
    case CL_PLATFORM_PROFILE: return answer_text("FULL_PROFILE", size, out, size_out);
    case CL_PLATFORM_EXTENSIONS: return answer_text("cl_khr_icd", size, out, size_out);
    case CL_PLATFORM_ICD_SUFFIX_KHR: return answer_text("FAKE", size, out, size_out);
    default: return CL_INVALID_VALUE;
    }
}

static cl_int CL_API_CALL get_device_ids(cl_platform_id p, cl_device_type type, cl_uint most, cl_device_id *out,
                                         cl_uint *count)
{
    (void)type;
    if (p->fails)
        return CL_OUT_OF_HOST_MEMORY;
    if (p->count == 0)
        return CL_DEVICE_NOT_FOUND;
    for (cl_uint i = 0; out != NULL && i < p->count && i < most; i++)
        out[i] = &p->devices[i];
    if (count != NULL)
        *count = p->count;
    return CL_SUCCESS;
}

static cl_device_type type_bits(const char *type)
{
    if (strcmp(type, "gpu") == 0)
        return CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_DEFAULT;
    return strcmp(type, "accelerator") == 0 ? CL_DEVICE_TYPE_ACCELERATOR : CL_DEVICE_TYPE_CPU;
}

static bool flaw_is(cl_device_id d, const char *flaw) { return strcmp(d->flaw, flaw) == 0; }

static cl_int answer_bool(bool value, size_t size, void *out, size_t *size_out)
{
    cl_bool answered = value ? CL_TRUE : CL_FALSE;
    return answer(&answered, sizeof answered, size, out, size_out);
}

static cl_int CL_API_CALL get_device_info(cl_device_id d, cl_device_info key, size_t size, void *out, size_t *size_out)
{
    cl_device_type type = type_bits(d->type);
    cl_uint units = flaw_is(d, "nounits") ? 0 : 4, width = 8;
    cl_ulong memory = flaw_is(d, "nomemory") ? 0 : (cl_ulong)1 << 30;
    if (flaw_is(d, "broken") && key == CL_DEVICE_MAX_COMPUTE_UNITS)
        return CL_OUT_OF_RESOURCES;
    switch (key) {
    case CL_DEVICE_NAME: return answer_text(d->name, size, out, size_out);
    case CL_DEVICE_VENDOR: return answer_text("Fake", size, out, size_out);
    case CL_DEVICE_VERSION: return answer_text("OpenCL 1.2 fake", size, out, size_out);
    case CL_DRIVER_VERSION: return answer_text("1.0", size, out, size_out);
    case CL_DEVICE_OPENCL_C_VERSION:
        return answer_text(flaw_is(d, "old") ? "OpenCL C 1.1 " : "OpenCL C 1.2 ", size, out, size_out);
    case CL_DEVICE_TYPE: return answer(&type, sizeof type, size, out, size_out);
    case CL_DEVICE_MAX_COMPUTE_UNITS: return answer(&units, sizeof units, size, out, size_out);
    case CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT: return answer(&width, sizeof width, size, out, size_out);
    case CL_DEVICE_GLOBAL_MEM_SIZE:
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
    case CL_DEVICE_LOCAL_MEM_SIZE: return answer(&memory, sizeof memory, size, out, size_out);
    case CL_DEVICE_AVAILABLE: return answer_bool(!flaw_is(d, "unavailable"), size, out, size_out);
    case CL_DEVICE_COMPILER_AVAILABLE: return answer_bool(!flaw_is(d, "nocompiler"), size, out, size_out);
    case CL_DEVICE_LINKER_AVAILABLE: return answer_bool(!flaw_is(d, "nolinker"), size, out, size_out);
    case CL_DEVICE_ENDIAN_LITTLE: return answer_bool(!flaw_is(d, "big"), size, out, size_out);
    case CL_DEVICE_PLATFORM: return answer(&d->platform, sizeof d->platform, size, out, size_out);
    default: return CL_INVALID_VALUE;
    }
}

static void add_device(cl_platform_id p, const char *word, int length, int platform)
{
    cl_device_id d = &p->devices[p->count];
    char text[64];
    snprintf(text, sizeof text, "%.*s", length, word);
    char *slash = strchr(text, '/');
    if (slash != NULL) {
        *slash = '\0';
        snprintf(d->flaw, sizeof d->flaw, "%s", slash + 1);
    }
    snprintf(d->type, sizeof d->type, "%.15s", text);
    /* As some drivers do: padded, and the longer name begins with the shorter one. */
    snprintf(d->name, sizeof d->name, "  Model %.15s  %d%.*s\n", text, platform, (int)p->count, "XXXXXXXX");
    d->dispatch = &dispatch;
    d->platform = p;
    p->count++;
}

static void read_environment(void)
{
    const char *s = getenv("FAKE_OPENCL");
    if (platform_count > 0 || s == NULL)
        return;
    while (*s != '\0' && platform_count < MOST) {
        cl_platform_id p = &platforms[platform_count];
        p->dispatch = &dispatch;
        snprintf(p->name, sizeof p->name, "Fake platform %c", (char)('A' + platform_count));
        for (;;) {
            int length = (int)strcspn(s, ",;");
            if (*s == '!')
                p->fails = true;
            else if (*s != '-' && p->count < MOST)
                add_device(p, s, length, (int)platform_count);
            s += length;
            if (*s != ',')
                break;
            s++;
        }
        platform_count++;
        s += *s == ';';
    }
}

static cl_int CL_API_CALL get_platform_ids(cl_uint most, cl_platform_id *out, cl_uint *count)
{
    read_environment();
    for (cl_uint i = 0; out != NULL && i < platform_count && i < most; i++)
        out[i] = &platforms[i];
    if (count != NULL)
        *count = platform_count;
    return platform_count > 0 ? CL_SUCCESS : -1001; /* CL_PLATFORM_NOT_FOUND_KHR */
}

CL_API_ENTRY void *CL_API_CALL clGetExtensionFunctionAddress(const char *name)
{
    dispatch.clGetPlatformIDs = get_platform_ids;
    dispatch.clGetPlatformInfo = get_platform_info;
    dispatch.clGetDeviceIDs = get_device_ids;
    dispatch.clGetDeviceInfo = get_device_info;
    if (strcmp(name, "clIcdGetPlatformIDsKHR") == 0)
        return (void *)get_platform_ids;
    return strcmp(name, "clGetPlatformInfo") == 0 ? (void *)get_platform_info : NULL;
}
