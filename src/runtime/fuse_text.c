/* The program of a segment: every kernel in its item form, a function of the work-item's place, and a persistent kernel that calls
 * them. Each segment has its own, because PoCL compiles all of a program once more for each of its kernels.
 *
 * As many work-groups as there are threads to run them go through the launches in their order. A launch is cut into chunks, of which
 * each work-group has its share, the same in each play, so that it finds in its caches what it left there; when its own are claimed, it
 * claims from those of the others. In front of its first chunk it waits until the launches that this one conflicts with are done.
 * Nobody goes on before all chunks are claimed, and who has claimed one of the earliest launch that is not done waits for nobody. So
 * a work-group that starts late, or never, holds up none. The last one to leave sets the counters to 0 for the next play. */
#include "runtime/fuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/program.h"

/* Of kernels in their item form: compile-time macros that give it to them. */
static const char item_form[] =
    "#define kernel static\n"
    "#define reqd_work_group_size(x, y, z) noinline\n"
    "#define get_global_id(d) ((size_t)work_item.s##d)\n";

/* Of the persistent kernels. A work-group has some thirty chunks: the fewer, the longer the last one keeps the others waiting. PoCL's
 * atomic operations acquire and release, though OpenCL does not promise it, and its fences do nothing: so who has waited for a counter
 * acquires what was written before by an atomic operation on that very counter. tests/test_fuse_protocol.c explores a model of it. */
static const char persistent_form[] =
    "#undef kernel\n"
    "#undef reqd_work_group_size\n"
    "#undef get_global_id\n"
    "#define COUNTER(i) (counters + (i) * COUNTER_INTS)\n"
    "#define LEFT COUNTER(0)\n"
    "#define DONE(launch) COUNTER(1 + (launch))\n"
    "#define CLAIMED(launch, owner) COUNTER(1 + LAUNCHES + (launch) * groups + (owner))\n"
    "#define AWAIT(launch) { while (*DONE(launch) < chunks[launch]) {} atomic_or(DONE(launch), 0); }\n"
    "#define LAUNCH(l, n, waits, ...) { \\\n"
    "    const int items = (n), size = max(1, items / (groups * 32)), share = (items + size * groups - 1) / (size * groups); \\\n"
    "    bool ready = false; \\\n"
    "    chunks[l] = (items + size - 1) / size; \\\n"
    "    for (int k = 0; k < groups; k++) { \\\n"
    "        const int owner = (me + k) % groups, start = owner * share, count = min(share, chunks[l] - start); \\\n"
    "        while (*CLAIMED(l, owner) < count) { \\\n"
    "            const int claimed = atomic_inc(CLAIMED(l, owner)); \\\n"
    "            if (claimed >= count) break; \\\n"
    "            if (!ready) { waits mem_fence(CLK_GLOBAL_MEM_FENCE); ready = true; } \\\n"
    "            const int first = (start + claimed) * size, last = min(first + size, items); \\\n"
    "            __VA_ARGS__; \\\n"
    "            mem_fence(CLK_GLOBAL_MEM_FENCE); \\\n"
    "            atomic_inc(DONE(l)); \\\n"
    "        } \\\n"
    "    } \\\n"
    "}\n";

/* ---- item forms ---- */

/* "kernel void name(" gets a first parameter. These words stand at each kernel's head and nowhere else: docs/kernel-contract.md. */
static void add_item_form(text *t, const char *source)
{
    static const char start[] = "kernel void ";
    for (const char *at; (at = strstr(source, start)) != NULL;) {
        size_t length = (size_t)(strchr(at, '(') + 1 - source);
        text_add_bytes(t, source, length);
        text_add(t, "const int3 work_item, ");
        source += length;
    }
    text_add(t, "%s", source);
}

static convoy_status add_units(text *t, const rt_units *units, convoy_error *err)
{
    text_add(t, "%s", item_form);
    for (size_t i = 0; i < units->count; i++) {
        text form = {0};
        char *source;
        add_item_form(&form, rt_kernel_source(units->items[i].source));
        TRY(text_take(&form, &source, err));
        bundle_add_unit(t, &units->items[i], source, i);
        free(source);
    }
    return CONVOY_OK;
}

/* ---- a segment's kernel ---- */

static bool is_buffer(const rt_arg *arg) { return arg->kind == RT_ARG_BUFFER || arg->kind == RT_ARG_SWITCHED; }

static void add_extent(text *t, const rt_extent *e)
{
    if (e->fixed)
        text_add(t, "%zu", e->fixed);
    else
        text_add(t, "((batch * %zu + %zu) / %zu)", e->per_image, e->divide - 1, e->divide);
}

static void add_items(text *t, const list_item *item)
{
    for (cl_uint d = 0; d < item->dims; d++) {
        text_add(t, "%s", d ? " * " : "");
        add_extent(t, &item->extent[d]);
    }
}

/* "global const float *p3" */
static convoy_status add_parameter(text *t, const rt_list *list, const list_item *item, int a, convoy_error *err)
{
    char type[64] = "";
    const rt_arg *arg = &item->args[a];
    if (is_buffer(arg))
        CL_TRY(list->ctx, clGetKernelArgInfo, item->kernel, (cl_uint)a, CL_KERNEL_ARG_TYPE_NAME, sizeof type, type, NULL);
    bool reads = is_buffer(arg) && !(item->written >> a & 1);
    text_add(t, ", %s%s %s p%d", list_arg_type(arg), reads ? " const" : "", type, a);
    return CONVOY_OK;
}

/* A function that runs items [first, last) of launches of this kernel, whose first dimensions are n0 and n1 items long; the first is
 * the fastest. Not inlined: many launches may share it. */
static convoy_status add_range(text *t, const rt_list *list, const list_item *item, size_t unit, convoy_error *err)
{
    static const char *const places[] = {"i, 0, 0", "i % n0, i / n0, 0", "i % n0, i / n0 % n1, i / n0 / n1"};
    text_add(t, "static __attribute__((noinline)) void range%zu_%u_%s(int first, int last, int n0, int n1", unit, item->dims,
             item->kernel_name);
    for (int a = 0; a < item->arg_count; a++) TRY(add_parameter(t, list, item, a, err));
    text_add(t, ")\n{\n    for (int i = first; i < last; i++) u%zu_%s((int3)(%s)", unit, item->kernel_name, places[item->dims - 1]);
    for (int a = 0; a < item->arg_count; a++) text_add(t, ", p%d", a);
    text_add(t, ");\n}\n");
    return CONVOY_OK;
}

static bool same_range(const list_item *a, const list_item *b)
{
    return a->dims == b->dims && strcmp(a->kernel_name, b->kernel_name) == 0 && strcmp(a->source, b->source) == 0 &&
           strcmp(a->options, b->options) == 0;
}

static convoy_status add_ranges(text *t, const rt_list *list, const segment *s, const rt_units *units, convoy_error *err)
{
    for (size_t i = s->first; i < s->last; i++) {
        const list_item *item = &list->items[i];
        bool known = item->once;
        for (size_t j = s->first; !known && j < i; j++)
            known = !list->items[j].once && same_range(&list->items[j], item);
        if (!known)
            TRY(add_range(t, list, item, rt_units_find(units, item->source, item->options), err));
    }
    return CONVOY_OK;
}

static void add_call(text *t, const segment *s, const list_item *item, const rt_units *units)
{
    text_add(t, "range%zu_%u_%s(first, last", rt_units_find(units, item->source, item->options), item->dims, item->kernel_name);
    for (cl_uint d = 0; d < 2; d++) {
        text_add(t, ", ");
        if (d < item->dims)
            add_extent(t, &item->extent[d]);
        else
            text_add(t, "1");
    }
    for (int a = 0; a < item->arg_count; a++)
        text_add(t, ", %sa%d", is_buffer(&item->args[a]) ? "(global void *)" : "", fuse_find_arg(s, &item->args[a]));
    text_add(t, ")");
}

/* Waits for the launches in `bits`, the latest first: it is the likeliest not to be done. */
static void add_waits(text *t, uint64_t bits, size_t number)
{
    for (size_t k = number; k-- > 0;)
        if (bits >> k & 1)
            text_add(t, "AWAIT(%zu) ", k);
}

static void add_kernel(text *t, const rt_list *list, const segment *s, const rt_units *units)
{
    uint64_t waits[ORDER_LAUNCHES];
    size_t l = 0;
    order_waits(list, s->first, s->last, waits);
    text_add(t, "#define LAUNCHES %zu\nkernel void fused(volatile global int *counters, int a1", s->launches);
    for (int i = FUSE_OWN_ARGS; i < s->arg_count; i++)
        text_add(t, ", %s %sa%d", list_arg_type(&s->args[i]), is_buffer(&s->args[i]) ? "char *" : "", i);
    text_add(t, ")\n{\n    const int batch = a1, groups = get_global_size(0), me = get_global_id(0);\n    int chunks[LAUNCHES];\n");
    for (size_t i = s->first; i < s->last; i++) {
        if (list->items[i].once)
            continue;
        text_add(t, "    LAUNCH(%zu, ", l);
        add_items(t, &list->items[i]);
        text_add(t, ", ");
        add_waits(t, waits[l], l);
        text_add(t, ", ");
        add_call(t, s, &list->items[i], units);
        text_add(t, ")\n");
        l++;
    }
    text_add(t, "    if (atomic_inc(LEFT) == groups - 1)\n"
                "        for (int i = 0; i < 1 + LAUNCHES * (1 + groups); i++) *COUNTER(i) = 0;\n}\n");
}

static convoy_status write(text *t, const rt_list *list, const segment *s, rt_units *units, convoy_error *err)
{
    for (size_t i = s->first; i < s->last; i++)
        if (!list->items[i].once)
            TRY(rt_units_note(units, list->items[i].source, list->items[i].options, err));
    TRY(add_units(t, units, err));
    text_add(t, "#define COUNTER_INTS %d\n%s", FUSE_COUNTER_INTS, persistent_form);
    TRY(add_ranges(t, list, s, units, err));
    add_kernel(t, list, s, units);
    return CONVOY_OK;
}

convoy_status fuse_write(const rt_list *list, const segment *s, char **out, convoy_error *err)
{
    text t = {0};
    rt_units units = {0};
    convoy_status status = write(&t, list, s, &units, err);
    rt_units_clear(&units);
    if (status == CONVOY_OK)
        return text_take(&t, out, err);
    text_free(&t);
    return status;
}
