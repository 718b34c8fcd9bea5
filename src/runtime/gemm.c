/* The matrix product of dense layers, by CLBlast. gemm_none.c stands in where that is missing. */
#include "runtime/list.h"

#include <clblast_c.h> /* behind it, which says what OpenCL it is */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

convoy_status gemm_supported(convoy_error *err)
{
    (void)err;
    return CONVOY_OK;
}

static int resolve(int size, int batch) { return size < 0 ? batch : size; }

/* CLBlast's arguments for a batch size: everything row-major and packed. */
typedef struct gemm_call {
    CLBlastTranspose a, b;
    size_t m, n, k, lda, ldb, ldc;
} gemm_call;

static gemm_call gemm_of(const rt_gemm_launch *g, int batch)
{
    gemm_call c = {
        .a = g->transpose_a ? CLBlastTransposeYes : CLBlastTransposeNo,
        .b = g->transpose_b ? CLBlastTransposeYes : CLBlastTransposeNo,
        .m = (size_t)resolve(g->m, batch),
        .n = (size_t)resolve(g->n, batch),
        .k = (size_t)resolve(g->k, batch),
    };
    c.lda = g->transpose_a ? c.m : c.k;
    c.ldb = g->transpose_b ? c.k : c.n;
    c.ldc = c.n;
    return c;
}

static convoy_status gemm_fail(const list_item *item, const char *call, CLBlastStatusCode code, convoy_error *err)
{
    return base_fail(err, CONVOY_ERROR_DEVICE, "%s: %s failed with status %d; builtin as option 'gemm' does without CLBlast",
                     item->label, call, (int)code);
}

static convoy_status temporary_size(const rt_list *list, const list_item *item, size_t *bytes, convoy_error *err)
{
    gemm_call c = gemm_of(&item->gemm.launch, list->batch);
    cl_command_queue queue = list->ctx->queue;
    CLBlastStatusCode code = CLBlastSGemmTempBufferSize(CLBlastLayoutRowMajor, c.a, c.b, c.m, c.n, c.k, 0, c.lda, 0,
                                                        c.ldb, 0, c.ldc, &queue, bytes);
    if (code != CLBlastSuccess)
        return gemm_fail(item, "CLBlastSGemmTempBufferSize", code, err);
    return CONVOY_OK;
}

convoy_status gemm_prepare(const rt_list *list, list_item *item, convoy_error *err)
{
    size_t bytes = 0;
    cl_int code;
    convoy_context *ctx = list->ctx;
    if (!ctx->used_gemm)
        gemm_apply_records(ctx);
    ctx->used_gemm = true;
    TRY(temporary_size(list, item, &bytes, err));
    if (bytes == 0)
        return CONVOY_OK;
    item->gemm.temporary = clCreateBuffer(ctx->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    if (code != CL_SUCCESS) {
        item->gemm.temporary = NULL;
        return rt_fail(ctx, "clCreateBuffer", code, err);
    }
    item->gemm.temporary_bytes = bytes;
    ctx->counters.live_objects++;
    ctx->counters.allocations++;
    ctx->counters.bytes += bytes;
    if (ctx->counters.bytes > ctx->counters.peak_bytes)
        ctx->counters.peak_bytes = ctx->counters.bytes;
    return CONVOY_OK;
}

convoy_status gemm_play(const rt_list *list, list_item *item, cl_event *event, convoy_error *err)
{
    const rt_gemm_launch *g = &item->gemm.launch;
    gemm_call c = gemm_of(g, list->batch);
    cl_command_queue queue = list->ctx->queue;
    size_t bytes = 0;
    /* A smaller batch may take another path; hand over the buffer only where it is large enough. */
    TRY(temporary_size(list, item, &bytes, err));
    cl_mem temporary = bytes > 0 && bytes <= item->gemm.temporary_bytes ? item->gemm.temporary : NULL;
    CLBlastStatusCode code = CLBlastSgemmWithTempBuffer(
        CLBlastLayoutRowMajor, c.a, c.b, c.m, c.n, c.k, 1.0f, g->a->mem, 0, c.lda, g->b->mem, 0, c.ldb, 0.0f,
        g->c->mem, 0, c.ldc, &queue, event, temporary);
    if (code != CLBlastSuccess)
        return gemm_fail(item, "CLBlastSgemmWithTempBuffer", code, err);
    return CONVOY_OK;
}

void gemm_release(const rt_list *list, list_item *item)
{
    if (item->gemm.temporary == NULL)
        return;
    CL_RELEASE(list->ctx, clReleaseMemObject, item->gemm.temporary);
    list->ctx->counters.live_objects--;
    list->ctx->counters.bytes -= item->gemm.temporary_bytes;
}

void gemm_forget(convoy_context *ctx)
{
    if (ctx->used_gemm && !ctx->lost)
        rt_tell_status(ctx, "CLBlastClearCache", CLBlastClearCache());
}

/* ---- parameters of its kernels ---- */

enum { MOST_VALUES = 32 };

/* "NAME=VALUE NAME=VALUE"; cuts the text at the names' ends. 0: it is not of this form. */
static size_t parse(char *text, const char *names[MOST_VALUES], size_t values[MOST_VALUES])
{
    size_t count = 0;
    char *rest, *end;
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');
        if (equals == NULL || count == MOST_VALUES)
            return 0;
        *equals = '\0';
        unsigned long value = strtoul(equals + 1, &end, 10);
        if (end == equals + 1 || *end != '\0' || value > 4096)
            return 0;
        names[count] = word;
        values[count++] = value;
    }
    return count;
}

convoy_status rt_gemm_set(convoy_context *ctx, const char *kernel, const char *values, convoy_error *err)
{
    char text[RECORD_VALUE];
    const char *names[MOST_VALUES];
    size_t numbers[MOST_VALUES];
    text_copy(text, sizeof text, values);
    size_t count = parse(text, names, numbers);
    CLBlastStatusCode code = CLBlastInvalidOverrideKernel;
    if (count > 0)
        code = CLBlastOverrideParameters(ctx->device, kernel, CLBlastPrecisionSingle, count, names, numbers);
    if (code != CLBlastSuccess)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "CLBlast's kernel %s does not take the parameters '%s' (status %d)",
                         kernel, values, (int)code);
    return CONVOY_OK;
}
