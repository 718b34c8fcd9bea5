/* The order of a list's launches. They are added as if each waited for the one before, and most do. Those that say that they may
 * run aside (filter gradients, which only the optimizer reads; weights made ready) go to a second queue, so that a device that one
 * launch does not fill has another one at hand. Both queues are in order; between them, a launch waits for the last one of the
 * other queue that shares memory with it, unless both only read. So every launch reads and writes what it would in the list's order. */
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

/* Do they share memory that one of them may write to? Of anything but kernels nothing is known. */
static bool conflict(const list_item *a, const list_item *b)
{
    if (a->kind != ITEM_KERNEL || b->kind != ITEM_KERNEL)
        return true;
    for (int i = 0; i < a->arg_count; i++)
        for (int j = 0; j < b->arg_count; j++)
            if (((a->written >> i | b->written >> j) & 1) && args_overlap(&a->args[i], &b->args[j]))
                return true;
    return false;
}

/* What item i must wait for: the last one of the other queue that it conflicts with, unless its own queue has waited for that or for
 * a later one already. */
static long last_conflict(const rt_list *list, size_t i, long waited)
{
    const list_item *item = &list->items[i];
    for (long j = (long)i - 1; j > waited; j--)
        if (list->items[j].aside != item->aside && conflict(&list->items[j], item))
            return j;
    return -1;
}

void order_items(rt_list *list)
{
    long waited[2] = {-1, -1}; /* by each queue */
    bool has_once = false;
    if (list->ordered == list->count)
        return;
    list->ordered = list->count;
    list->has_aside = false;
    for (size_t i = 0; i < list->count; i++) {
        list_item *item = &list->items[i];
        item->is_awaited = false;
        item->after = last_conflict(list, i, waited[item->aside]);
        list->has_aside = list->has_aside || item->aside;
        has_once = has_once || item->once;
        if (item->after >= 0) {
            waited[item->aside] = item->after;
            list->items[item->after].is_awaited = true;
        }
    }
    /* A launch that is left out at times is nothing to wait for. */
    list->has_aside = list->has_aside && !has_once;
}
