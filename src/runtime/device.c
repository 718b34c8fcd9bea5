/* Lists platforms and devices. Some drivers crash or hang when they are used, so listing makes clGet* calls
 * only: no context, no queue, no build. */
#include "runtime/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define PLATFORM_NOT_FOUND (-1001) /* CL_PLATFORM_NOT_FOUND_KHR: the ICD loader found no driver */
#define MOST_PLATFORMS 64
#define MOST_DEVICES 256

typedef struct row_list {
    device_row *rows;
    size_t count, capacity;
} row_list;

static device_row *row_add(row_list *list)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 8;
        device_row *rows = realloc(list->rows, capacity * sizeof *rows);
        if (rows == NULL)
            return NULL;
        list->rows = rows;
        list->capacity = capacity;
    }
    device_row *row = &list->rows[list->count++];
    memset(row, 0, sizeof *row);
    return row;
}

/* Drivers pad names with spaces and end them with newlines: keeps single spaces between printable words. The standard
 * says ASCII; anything else could not be written as JSON. */
static void copy_words(char *out, size_t size, const char *from)
{
    size_t n = 0;
    bool space = false;
    for (; *from != '\0'; from++) {
        unsigned char c = (unsigned char)*from;
        if (c <= ' ' || c == 0x7f) {
            space = n > 0;
            continue;
        }
        if (n + space + 1 >= size)
            break;
        if (space)
            out[n++] = ' ';
        out[n++] = c < 0x80 ? (char)c : '?';
        space = false;
    }
    out[n] = '\0';
}

/* ---- one device ---- */

typedef struct query {
    cl_device_id id;
    convoy_device_info *info; /* takes the first failure as its reason */
} query;

static void query_failed(query *q, const char *what, cl_int code)
{
    if (q->info->rejected[0] == '\0')
        snprintf(q->info->rejected, sizeof q->info->rejected, "broken: clGetDeviceInfo(%s): %s (%d)", what,
                 rt_cl_error(code), (int)code);
}

static void query_value(query *q, cl_device_info key, const char *what, void *out, size_t size)
{
    memset(out, 0, size);
    cl_int code = clGetDeviceInfo(q->id, key, size, out, NULL);
    if (code != CL_SUCCESS)
        query_failed(q, what, code);
}

static void query_text(query *q, cl_device_info key, const char *what, char *out, size_t size)
{
    size_t length = 0;
    cl_int code = clGetDeviceInfo(q->id, key, 0, NULL, &length);
    char *value = code == CL_SUCCESS ? calloc(1, length + 1) : NULL;
    if (value != NULL && length > 0)
        code = clGetDeviceInfo(q->id, key, length, value, NULL);
    if (code != CL_SUCCESS)
        query_failed(q, what, code);
    copy_words(out, size, value != NULL && code == CL_SUCCESS ? value : "");
    free(value);
}

#define QUERY_VALUE(q, key, out) query_value((q), key, #key, (out), sizeof *(out))
#define QUERY_TEXT(q, key, out) query_text((q), key, #key, (out), sizeof(out))

static convoy_device_type type_from_cl(cl_device_type type)
{
    if (type & CL_DEVICE_TYPE_GPU)
        return CONVOY_DEVICE_GPU;
    if (type & CL_DEVICE_TYPE_ACCELERATOR)
        return CONVOY_DEVICE_ACCELERATOR;
    if (type & CL_DEVICE_TYPE_CPU)
        return CONVOY_DEVICE_CPU;
    return CONVOY_DEVICE_OTHER;
}

static bool has_opencl_c_1_2(const char *version)
{
    unsigned major, minor;
    return sscanf(version, "OpenCL C %u.%u", &major, &minor) == 2 && (major > 1 || (major == 1 && minor >= 2));
}

/* Why a device that answered every query still can't be used; NULL when it can. */
static const char *device_flaw(query *q)
{
    cl_bool available, compiler, linker, little;
    QUERY_VALUE(q, CL_DEVICE_AVAILABLE, &available);
    QUERY_VALUE(q, CL_DEVICE_COMPILER_AVAILABLE, &compiler);
    QUERY_VALUE(q, CL_DEVICE_ENDIAN_LITTLE, &little);
    if (!available)
        return "the driver says that it is not available";
    if (!compiler)
        return "its driver has no compiler (CL_DEVICE_COMPILER_AVAILABLE is false)";
    if (!has_opencl_c_1_2(q->info->opencl_c))
        return NULL; /* told with the version found; before 1.2 there is no linker to ask about */
    QUERY_VALUE(q, CL_DEVICE_LINKER_AVAILABLE, &linker);
    if (!linker)
        return "its driver has no linker (CL_DEVICE_LINKER_AVAILABLE is false)";
    if (!little)
        return "it is big-endian";
    if (q->info->compute_units == 0)
        return "broken: it says that it has no compute units";
    if (q->info->global_memory == 0 || q->info->max_allocation == 0)
        return "broken: it says that it has no memory";
    return NULL;
}

static void describe_device(cl_device_id id, convoy_device_info *info)
{
    query q = {.id = id, .info = info};
    cl_device_type type;
    cl_uint units, width;
    cl_ulong global, most, local;
    QUERY_TEXT(&q, CL_DEVICE_NAME, info->name);
    QUERY_TEXT(&q, CL_DEVICE_VENDOR, info->vendor);
    QUERY_TEXT(&q, CL_DEVICE_VERSION, info->version);
    QUERY_TEXT(&q, CL_DRIVER_VERSION, info->driver);
    QUERY_TEXT(&q, CL_DEVICE_OPENCL_C_VERSION, info->opencl_c);
    QUERY_VALUE(&q, CL_DEVICE_TYPE, &type);
    QUERY_VALUE(&q, CL_DEVICE_MAX_COMPUTE_UNITS, &units);
    QUERY_VALUE(&q, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, &width);
    QUERY_VALUE(&q, CL_DEVICE_GLOBAL_MEM_SIZE, &global);
    QUERY_VALUE(&q, CL_DEVICE_MAX_MEM_ALLOC_SIZE, &most);
    QUERY_VALUE(&q, CL_DEVICE_LOCAL_MEM_SIZE, &local);
    info->type = type_from_cl(type);
    info->compute_units = units;
    info->native_vector_width_float = width;
    info->global_memory = global;
    info->max_allocation = most;
    info->local_memory = local;
    const char *flaw = device_flaw(&q);
    if (info->rejected[0] == '\0' && flaw != NULL)
        text_copy(info->rejected, sizeof info->rejected, flaw);
    if (info->rejected[0] == '\0' && !has_opencl_c_1_2(info->opencl_c))
        snprintf(info->rejected, sizeof info->rejected, "it offers %.100s; OpenCL C 1.2 or later is needed",
                 info->opencl_c[0] ? info->opencl_c : "no version of OpenCL C");
    info->usable = info->rejected[0] == '\0';
}

/* ---- one platform ---- */

static void platform_name(cl_platform_id platform, char *out, size_t size)
{
    size_t length = 0;
    char *value = NULL;
    if (clGetPlatformInfo(platform, CL_PLATFORM_NAME, 0, NULL, &length) == CL_SUCCESS)
        value = calloc(1, length + 1);
    if (value != NULL && length > 0 &&
        clGetPlatformInfo(platform, CL_PLATFORM_NAME, length, value, NULL) == CL_SUCCESS)
        copy_words(out, size, value);
    else
        text_copy(out, size, "(unnamed platform)");
    free(value);
}

static convoy_status add_empty_platform(row_list *list, int number, const char *name, const char *why,
                                        convoy_error *err)
{
    device_row *row = row_add(list);
    if (row == NULL)
        return OUT_OF_MEMORY(err);
    row->info.platform = number;
    row->info.device = -1;
    text_copy(row->info.platform_name, sizeof row->info.platform_name, name);
    text_copy(row->info.rejected, sizeof row->info.rejected, why);
    return CONVOY_OK;
}

static convoy_status add_platform(row_list *list, int number, cl_platform_id platform, convoy_error *err)
{
    char name[128];
    platform_name(platform, name, sizeof name);
    cl_device_id ids[MOST_DEVICES];
    cl_uint found = 0;
    cl_int code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MOST_DEVICES, ids, &found);
    if (code == CL_DEVICE_NOT_FOUND || (code == CL_SUCCESS && found == 0)) {
        bool asleep = strcmp(name, "rusticl") == 0 && getenv("RUSTICL_ENABLE") == NULL;
        return add_empty_platform(list, number, name,
                                  asleep ? "the platform has no device; RUSTICL_ENABLE names the drivers it may use "
                                           "(radeonsi for AMD, iris for Intel, llvmpipe for the CPU)"
                                         : "the platform has no device",
                                  err);
    }
    if (code != CL_SUCCESS) {
        char why[256];
        snprintf(why, sizeof why, "broken: clGetDeviceIDs: %s (%d)", rt_cl_error(code), (int)code);
        return add_empty_platform(list, number, name, why, err);
    }
    if (found > MOST_DEVICES)
        found = MOST_DEVICES;
    for (cl_uint i = 0; i < found; i++) {
        device_row *row = row_add(list);
        if (row == NULL)
            return OUT_OF_MEMORY(err);
        row->id = ids[i];
        row->info.platform = number;
        row->info.device = (int)i;
        text_copy(row->info.platform_name, sizeof row->info.platform_name, name);
        describe_device(ids[i], &row->info);
    }
    return CONVOY_OK;
}

/* ---- the list ---- */

convoy_status device_rows_list(device_row **out, size_t *count, convoy_error *err)
{
    cl_platform_id platforms[MOST_PLATFORMS];
    cl_uint found = 0;
    row_list list = {0};
    *out = NULL;
    *count = 0;
    cl_int code = clGetPlatformIDs(MOST_PLATFORMS, platforms, &found);
    if (code == PLATFORM_NOT_FOUND)
        return CONVOY_OK;
    if (code != CL_SUCCESS)
        return base_fail(err, CONVOY_ERROR_DEVICE, "the list of OpenCL platforms: clGetPlatformIDs: %s (%d)",
                         rt_cl_error(code), (int)code);
    if (found > MOST_PLATFORMS)
        found = MOST_PLATFORMS;
    for (cl_uint i = 0; i < found; i++) {
        convoy_status status = add_platform(&list, (int)i, platforms[i], err);
        if (status != CONVOY_OK) {
            free(list.rows);
            return status;
        }
    }
    device_rows_mark_default(list.rows, list.count);
    *out = list.rows;
    *count = list.count;
    return CONVOY_OK;
}

convoy_status convoy_devices_list(convoy_device_info **out, size_t *count, convoy_error *err)
{
    device_row *rows;
    size_t n;
    TRY(device_rows_list(&rows, &n, err));
    convoy_device_info *infos = calloc(n > 0 ? n : 1, sizeof *infos);
    if (infos == NULL) {
        free(rows);
        return OUT_OF_MEMORY(err);
    }
    for (size_t i = 0; i < n; i++)
        infos[i] = rows[i].info;
    free(rows);
    *out = infos;
    *count = n;
    return CONVOY_OK;
}

const char *convoy_device_type_name(convoy_device_type type)
{
    switch (type) {
    case CONVOY_DEVICE_CPU: return "cpu";
    case CONVOY_DEVICE_ACCELERATOR: return "accelerator";
    case CONVOY_DEVICE_GPU: return "gpu";
    case CONVOY_DEVICE_OTHER: break;
    }
    return "other";
}
