/* What a list's launches must wait for. They are added as if each waited for the one before, but only those that share memory must keep
 * their order, unless both only read it. */
#include "runtime/list.h"

/* A kernel may write to what it does not declare const. A driver that keeps no argument info leaves all of them so. */
void order_note_written(list_item *item)
{
    item->written = ~0u;
    for (int a = 0; a < item->arg_count; a++) {
        cl_kernel_arg_type_qualifier how = 0;
        if (clGetKernelArgInfo(item->kernel, (cl_uint)a, CL_KERNEL_ARG_TYPE_QUALIFIER, sizeof how, &how, NULL) == CL_SUCCESS &&
            (how & CL_KERNEL_ARG_TYPE_CONST))
            item->written &= ~(1u << a);
    }
}

static bool overlap(const rt_buffer *a, const rt_buffer *b)
{
    return a->root == b->root && a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* The buffers of an argument: one, or two that are switched. */
static int buffers_of(const rt_arg *arg, const rt_buffer *out[2])
{
    if (arg->kind == RT_ARG_BUFFER) {
        out[0] = arg->buffer;
        return 1;
    }
    if (arg->kind != RT_ARG_SWITCHED)
        return 0;
    out[0] = arg->switched[0];
    out[1] = arg->switched[1];
    return 2;
}

static bool args_overlap(const rt_arg *x, const rt_arg *y)
{
    const rt_buffer *a[2], *b[2];
    int m = buffers_of(x, a), n = buffers_of(y, b);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            if (overlap(a[i], b[j]))
                return true;
    return false;
}

bool order_conflict(const list_item *a, const list_item *b)
{
    if (a->kind != ITEM_KERNEL || b->kind != ITEM_KERNEL)
        return true;
    for (int i = 0; i < a->arg_count; i++)
        for (int j = 0; j < b->arg_count; j++)
            if (((a->written >> i | b->written >> j) & 1) && args_overlap(&a->args[i], &b->args[j]))
                return true;
    return false;
}

/* Bits of the launches that launch i of [first, last) must wait for, itself or through others. */
size_t order_waits(const rt_list *list, size_t first, size_t last, uint64_t *waits)
{
    uint64_t before[ORDER_LAUNCHES] = {0}; /* of launch l: all that are done when it begins */
    const list_item *items[ORDER_LAUNCHES];
    size_t count = 0;
    for (size_t i = first; i < last; i++) {
        const list_item *item = &list->items[i];
        if (item->once)
            continue;
        waits[count] = 0;
        for (size_t k = count; k-- > 0;)
            if (!(before[count] >> k & 1) && order_conflict(items[k], item)) {
                waits[count] |= UINT64_C(1) << k;
                before[count] |= before[k] | UINT64_C(1) << k;
            }
        items[count++] = item;
    }
    return count;
}
