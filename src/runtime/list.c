/* Launch lists: everything is decided when a launch is added; playing one only enqueues. */
#include "runtime/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

convoy_status rt_list_create(convoy_context *ctx, int batch, rt_list **out, convoy_error *err)
{
    if (batch < 1)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "a batch of %d images; at least 1 is needed", batch);
    rt_list *list = calloc(1, sizeof *list);
    if (list == NULL)
        return OUT_OF_MEMORY(err);
    list->ctx = ctx;
    list->max_batch = list->batch = batch;
    *out = list;
    return CONVOY_OK;
}

static void release_item(rt_list *list, list_item *item)
{
    CL_RELEASE(list->ctx, clReleaseEvent, item->event);
    CL_RELEASE(list->ctx, clReleaseKernel, item->kernel);
    list->ctx->counters.live_objects -= item->kernel != NULL;
    gemm_release(list, item);
    free(item->label);
    free(item->source);
    free(item->options);
    free(item->kernel_name);
    free(item->variant);
}

void rt_list_destroy(rt_list *list)
{
    if (list == NULL)
        return;
    list->ctx->work = (rt_work){0}; /* it may have labels of this list */
    fuse_forget(list);
    for (size_t i = 0; i < list->count; i++)
        release_item(list, &list->items[i]);
    free(list->items);
    list_forget_noted(list);
    free(list);
}

convoy_status rt_list_collect(rt_list *list, rt_list_writer *write, void *user, convoy_error *err)
{
    list->collecting = true;
    convoy_status status = write(user, list, err);
    list->collecting = false;
    return status;
}

convoy_status rt_list_build(rt_list *list, convoy_error *err)
{
    convoy_status status = list_build(list, err);
    list_forget_noted(list);
    return status;
}

convoy_status rt_list_compile(rt_list *list, rt_list_writer *write, void *user, convoy_error *err)
{
    if (list->ctx->described)
        return write(user, list, err);
    TRY(rt_list_collect(list, write, user, err));
    TRY(rt_list_build(list, err));
    return write(user, list, err);
}

void rt_list_watch(rt_list *list, rt_problem_hook *hook, void *user)
{
    list->watch = hook;
    list->watch_user = user;
}

void rt_list_tell(rt_list *list, const void *problem)
{
    if (list->watch)
        list->watch(list->watch_user, problem);
}

/* Appends an empty item. Pointers to items stay valid only until the next call. */
static convoy_status new_item(rt_list *list, item_kind kind, const char *label, const char *source, const char *kernel,
                              const char *variant, list_item **out, convoy_error *err)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 32;
        list_item *items = realloc(list->items, capacity * sizeof *items);
        if (items == NULL)
            return OUT_OF_MEMORY(err);
        list->items = items;
        list->capacity = capacity;
    }
    list_item *item = &list->items[list->count];
    *item = (list_item){.kind = kind, .label = strdup(label), .source = strdup(source), .kernel_name = strdup(kernel),
                        .variant = strdup(variant ? variant : "")};
    list->count++;
    if (item->label == NULL || item->source == NULL || item->kernel_name == NULL || item->variant == NULL) {
        release_item(list, &list->items[--list->count]);
        return OUT_OF_MEMORY(err);
    }
    *out = item;
    return CONVOY_OK;
}

size_t list_range(const rt_list *list, const rt_extent *e, size_t local)
{
    size_t n = e->fixed, step = local ? local : 1;
    if (n == 0)
        n = ((size_t)list->batch * e->per_image + e->divide - 1) / e->divide;
    return (n + step - 1) / step * step;
}

static void compute_range(const rt_list *list, list_item *item)
{
    for (cl_uint d = 0; d < item->dims; d++)
        item->global[d] = list_range(list, &item->extent[d], item->local[d]);
}

/* A kernel that was compiled for one size of work-group, usually because its blocks follow from it, runs with no other. */
static convoy_status check_required(const list_item *item, const size_t required[3], convoy_error *err)
{
    for (cl_uint d = 0; d < 3; d++) {
        size_t local = d < item->dims ? item->local[d] : 1;
        if (local != required[d])
            return base_fail(err, CONVOY_ERROR_DEVICE,
                             "%s: kernel %s is compiled for work-groups of %zu x %zu x %zu, %zu were given in dimension %u",
                             item->label, item->kernel_name, required[0], required[1], required[2], local, d);
    }
    return CONVOY_OK;
}

/* A work-group that the built kernel allows: the wanted one, else, unless the kernel requires it, halved until it fits. */
static convoy_status fit_local(const rt_list *list, list_item *item, convoy_error *err)
{
    size_t most = 0, required[3] = {0};
    if (item->local[0] == 0)
        return CONVOY_OK;
    CL_TRY(list->ctx, clGetKernelWorkGroupInfo, item->kernel, list->ctx->device, CL_KERNEL_WORK_GROUP_SIZE,
           sizeof most, &most, NULL);
    CL_TRY(list->ctx, clGetKernelWorkGroupInfo, item->kernel, list->ctx->device, CL_KERNEL_COMPILE_WORK_GROUP_SIZE,
           sizeof required, required, NULL);
    size_t product = 1;
    for (cl_uint d = 0; d < item->dims; d++)
        product *= item->local[d];
    if (required[0] > 0) {
        TRY(check_required(item, required, err));
        /* Mesa 22.3's Rusticl answers 32 for every kernel, and runs the size that a kernel requires. */
        if (strcmp(list->ctx->info.platform_name, "rusticl") == 0)
            most = list->ctx->max_local;
    }
    for (cl_uint d = 0; required[0] == 0 && product > most && d < item->dims; d++)
        for (; product > most && item->local[d] % 2 == 0; product /= 2)
            item->local[d] /= 2;
    if (product > most)
        return base_fail(err, CONVOY_ERROR_DEVICE, "%s: kernel %s needs work-groups of %zu, %s allows %zu",
                         item->label, item->kernel_name, product, list->ctx->info.name, most);
    return CONVOY_OK;
}

/* Takes a failed launch out again. */
static convoy_status drop_last(rt_list *list, convoy_status status)
{
    if (status != CONVOY_OK)
        release_item(list, &list->items[--list->count]);
    return status;
}

static convoy_status set_item_args(const rt_list *list, const list_item *item, arg_set which, convoy_error *err)
{
    if (item->kernel == NULL) /* of a described device */
        return CONVOY_OK;
    convoy_status status = list_set_args(list, item->kernel, item->args, item->arg_count, which, err);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "%s", item->label);
}

static convoy_status fill_kernel_item(rt_list *list, list_item *item, const rt_launch *launch, convoy_error *err)
{
    if ((item->options = strdup(launch->options ? launch->options : "")) == NULL)
        return OUT_OF_MEMORY(err);
    memcpy(item->args, launch->args, sizeof item->args);
    memcpy(item->extent, launch->global, sizeof item->extent);
    memcpy(item->local, launch->local, sizeof item->local);
    item->arg_count = launch->arg_count;
    item->once = launch->once;
    item->flops = launch->flops;
    item->bytes = launch->bytes;
    item->flops_per_image = launch->flops_per_image;
    item->bytes_per_image = launch->bytes_per_image;
    while (item->dims < 3 && (launch->global[item->dims].fixed || launch->global[item->dims].per_image))
        item->dims++;
    compute_range(list, item);
    return CONVOY_OK;
}

static convoy_status make_kernel(rt_list *list, list_item *item, const rt_program *program, convoy_error *err)
{
    convoy_context *ctx = list->ctx;
    cl_int code;
    char name[160];
    snprintf(name, sizeof name, "%s%s", program->prefix, item->kernel_name);
    item->kernel = clCreateKernel(program->program, name, &code);
    if (code != CL_SUCCESS) {
        item->kernel = NULL;
        return base_fail_in(err, rt_fail(ctx, "clCreateKernel", code, err), "%s, kernel %s", item->label, item->kernel_name);
    }
    ctx->counters.live_objects++;
    TRY(fit_local(list, item, err));
    compute_range(list, item);
    TRY(list_check_args(list, item, err));
    order_note_written(item);
    return set_item_args(list, item, ARGS_ALL, err);
}

convoy_status rt_list_add(rt_list *list, const rt_launch *launch, convoy_error *err)
{
    list_item *item = NULL;
    const rt_program *program = NULL;
    const char *options = launch->options ? launch->options : "";
    if (list->collecting)
        return list_note(list, launch, err);
    if (list->ctx->described == NULL)
        TRY(rt_program_find(list->ctx, launch->source, options, &program, err));
    TRY(new_item(list, ITEM_KERNEL, launch->label, launch->source, launch->kernel, launch->variant, &item,
                 err));
    convoy_status status = fill_kernel_item(list, item, launch, err);
    if (status == CONVOY_OK && program != NULL)
        status = make_kernel(list, item, program, err);
    return drop_last(list, status);
}

/* A matrix of rows x columns floats is read or written; -1 is the batch. */
static void count_matrix(list_item *item, int rows, int columns)
{
    double bytes = 4.0 * (rows > 0 ? rows : 1) * (columns > 0 ? columns : 1);
    if (rows < 0 || columns < 0)
        item->bytes_per_image += bytes;
    else
        item->bytes += bytes;
}

convoy_status rt_list_add_gemm(rt_list *list, const rt_gemm_launch *gemm, convoy_error *err)
{
    list_item *item = NULL;
    if (list->collecting)
        return CONVOY_OK;
    TRY(new_item(list, ITEM_GEMM, gemm->label, "clblast", "gemm", "clblast", &item, err));
    item->gemm.launch = *gemm;
    double product = 2.0 * (gemm->m > 0 ? gemm->m : 1) * (gemm->n > 0 ? gemm->n : 1) * (gemm->k > 0 ? gemm->k : 1);
    item->flops_per_image = product; /* one of the sizes is the batch in every dense layer */
    count_matrix(item, gemm->m, gemm->k);
    count_matrix(item, gemm->k, gemm->n);
    count_matrix(item, gemm->m, gemm->n);
    return list->ctx->described ? CONVOY_OK : drop_last(list, gemm_prepare(list, item, err));
}

convoy_status rt_list_add_copy(rt_list *list, const char *label, const rt_buffer *from, const rt_buffer *to,
                               size_t bytes_per_image, convoy_error *err)
{
    list_item *item = NULL;
    if (list->collecting)
        return CONVOY_OK;
    TRY(new_item(list, ITEM_COPY, label, "copy", "copy", NULL, &item, err));
    item->from = from;
    item->to = to;
    item->bytes_each = bytes_per_image;
    item->bytes_per_image = 2.0 * (double)bytes_per_image;
    return CONVOY_OK;
}

static convoy_status warm_gemm(rt_list *list, list_item *item, convoy_error *err)
{
    rt_wait_begin(list->ctx, "compiling CLBlast's kernels for", item->label, false);
    convoy_status status = gemm_play(list, item, NULL, err);
    rt_wait_end(list->ctx);
    return status;
}

/* Runs the GEMMs once with a batch size that is new, because CLBlast builds its kernels in the first call. Their results
 * are overwritten before anything reads them. */
static convoy_status warm_gemms(rt_list *list, convoy_error *err)
{
    size_t known = sizeof list->warmed / sizeof *list->warmed;
    for (size_t i = 0; i < known; i++)
        if (list->warmed[i] == list->batch)
            return CONVOY_OK;
    memmove(list->warmed + 1, list->warmed, (known - 1) * sizeof *list->warmed);
    list->warmed[0] = list->batch;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].kind == ITEM_GEMM)
            TRY(warm_gemm(list, &list->items[i], err));
    return CONVOY_OK;
}

convoy_status rt_list_set_batch(rt_list *list, int batch, convoy_error *err)
{
    if (batch < 1 || batch > list->max_batch)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "a batch of %d images; the plan allows 1 to %d", batch,
                         list->max_batch);
    bool same = batch == list->batch;
    list->batch = batch;
    for (size_t i = 0; !same && i < list->count; i++) {
        if (list->items[i].kind != ITEM_KERNEL)
            continue;
        compute_range(list, &list->items[i]);
        TRY(set_item_args(list, &list->items[i], ARGS_BATCH, err));
    }
    if (!same)
        TRY(fuse_set_args(list, ARGS_BATCH, err));
    return list->ctx->described ? CONVOY_OK : warm_gemms(list, err);
}

static convoy_status set_variable(rt_list *list, rt_variable variable, convoy_error *err)
{
    for (size_t i = 0; i < list->count; i++)
        for (int a = 0; a < list->items[i].arg_count; a++)
            if (list->items[i].args[a].kind == RT_ARG_VARIABLE && list->items[i].args[a].i == (int)variable)
                TRY(set_item_args(list, &list->items[i], ARGS_VARIABLE, err));
    return fuse_set_args(list, ARGS_VARIABLE, err);
}

convoy_status rt_list_set_int(rt_list *list, rt_variable variable, int value, convoy_error *err)
{
    list->ints[variable] = value;
    return set_variable(list, variable, err);
}

convoy_status rt_list_set_float(rt_list *list, rt_variable variable, float value, convoy_error *err)
{
    list->floats[variable] = value;
    return set_variable(list, variable, err);
}

convoy_status rt_list_switch(rt_list *list, int which, convoy_error *err)
{
    list->which = which;
    for (size_t i = 0; i < list->count; i++)
        TRY(set_item_args(list, &list->items[i], ARGS_SWITCHED, err));
    return fuse_set_args(list, ARGS_SWITCHED, err);
}

void rt_list_cut(rt_list *list, size_t length)
{
    list->ctx->work = (rt_work){0}; /* it has labels of these launches */
    while (list->count > length)
        release_item(list, &list->items[--list->count]);
    fuse_forget(list);
}

size_t rt_list_length(const rt_list *list) { return list->count; }
const char *rt_list_label(const rt_list *list, size_t i) { return list->items[i].label; }

void rt_list_launch(const rt_list *list, size_t i, rt_launch_row *out)
{
    const list_item *item = &list->items[i];
    *out = (rt_launch_row){.label = item->label, .source = item->source, .kernel = item->kernel_name, .variant = item->variant,
                           .options = item->options ? item->options : ""};
    for (cl_uint d = 0; d < item->dims; d++) {
        out->global[d] = item->global[d];
        out->local[d] = item->local[d];
    }
}
