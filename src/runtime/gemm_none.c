/* Stands in for gemm.c where CLBlast is missing. */
#include "runtime/list.h"

convoy_status gemm_supported(convoy_error *err) { return base_lacks(err, "matrix products by CLBlast need it", "libclblast-dev"); }

convoy_status gemm_prepare(const rt_list *list, list_item *item, convoy_error *err)
{
    (void)list;
    return base_fail_in(err, gemm_supported(err), "%s", item->label);
}

convoy_status gemm_play(const rt_list *list, list_item *item, cl_event *event, convoy_error *err)
{
    (void)event;
    return gemm_prepare(list, item, err);
}

void gemm_release(const rt_list *list, list_item *item) { (void)list, (void)item; }

void gemm_forget(convoy_context *ctx) { (void)ctx; }

convoy_status rt_gemm_set(convoy_context *ctx, const char *kernel, const char *values, convoy_error *err)
{
    (void)ctx, (void)values;
    return base_fail_in(err, gemm_supported(err), "%s", kernel);
}
