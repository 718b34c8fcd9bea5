/* The matrix product of dense layers, by CLBlast. */
#include "config.h"
#include "runtime/list.h"

static int resolve(int size, int batch) { return size < 0 ? batch : size; }

#ifdef HAVE_CLBLAST
#include <clblast_c.h>

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

#else

convoy_status gemm_prepare(const rt_list *list, list_item *item, convoy_error *err)
{
    (void)list;
    (void)resolve;
    return base_fail(err, CONVOY_ERROR_UNSUPPORTED, "%s: this build has no CLBlast", item->label);
}

convoy_status gemm_play(const rt_list *list, list_item *item, cl_event *event, convoy_error *err)
{
    (void)event;
    return gemm_prepare(list, item, err);
}

#endif

void gemm_release(const rt_list *list, list_item *item)
{
    if (item->gemm.temporary == NULL)
        return;
    CL_RELEASE(list->ctx, clReleaseMemObject, item->gemm.temporary);
    list->ctx->counters.live_objects--;
    list->ctx->counters.bytes -= item->gemm.temporary_bytes;
}
