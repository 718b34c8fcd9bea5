/* What would be launched in a training step, without running it. */
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "base/text.h"
#include "train/bench.h"

static convoy_status take_launch(convoy_bench_choice *out, const rt_launch_row *row, convoy_error *err)
{
    if (strlen(row->options) >= sizeof out->options)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "%s: options of %zu bytes; there is room for %zu", row->label, strlen(row->options),
                         sizeof out->options - 1);
    text_copy(out->label, sizeof out->label, row->label);
    text_copy(out->kernel, sizeof out->kernel, row->kernel);
    text_copy(out->variant, sizeof out->variant, row->variant);
    text_copy(out->source, sizeof out->source, row->source);
    text_copy(out->options, sizeof out->options, row->options);
    memcpy(out->global, row->global, sizeof out->global);
    memcpy(out->local, row->local, sizeof out->local);
    return CONVOY_OK;
}

static convoy_status take_launches(trainer *t, convoy_bench_choices *out, convoy_error *err)
{
    const rt_list *list = plan_list(trainer_plan(t));
    size_t count = rt_list_length(list);
    out->launches = calloc(count, sizeof *out->launches);
    if (out->launches == NULL)
        return OUT_OF_MEMORY(err);
    out->launch_count = count;
    for (size_t i = 0; i < count; i++) {
        rt_launch_row row;
        rt_list_launch(list, i, &row);
        TRY(take_launch(&out->launches[i], &row, err));
    }
    return CONVOY_OK;
}

static convoy_status plan_step(bench *b, convoy_bench_choices *out, convoy_error *err)
{
    trainer *t = NULL;
    TRY(bench_prepare(b, err));
    convoy_fit_options options = {.batch_size = out->batch_size = b->options.batch_size};
    TRY(trainer_create(b->ctx, b->model, b->data, &options, &t, err));
    convoy_status status = take_launches(t, out, err);
    out->planned_bytes = trainer_planned_bytes(t);
    trainer_destroy(t);
    return status;
}

convoy_status convoy_bench_plan_sized(convoy_context *ctx, convoy_model *model, const convoy_bench_options *options,
                                      size_t options_size, convoy_bench_choices *out, convoy_error *err)
{
    TAKE_OPTIONS(convoy_bench_options, own, options, options_size, err);
    bench b = {.ctx = ctx, .model = model, .options = own};
    *out = (convoy_bench_choices){0};
    convoy_status status = plan_step(&b, out, err);
    convoy_dataset_destroy(b.data);
    if (status != CONVOY_OK)
        convoy_bench_plan_clear(out);
    return status;
}

void convoy_bench_plan_clear(convoy_bench_choices *choices)
{
    free(choices->launches);
    *choices = (convoy_bench_choices){0};
}
