/* One step of training of one random image layer, alone. All is static, as in the other helpers of tests. */
#ifndef AUGMENT_HELP_H
#define AUGMENT_HELP_H

#include <math.h>
#include <stdio.h>

#include "layers/layer.h"
#include "train_help.h"

/* One step of training of one layer, on `batch` times the same image. */
typedef struct run {
    const char *class_name, *options;
    convoy_shape image;
    int batch, largest; /* largest 0: batch */
    uint64_t seed;
    uint32_t stream;
    int step;
    const float *dy;    /* of all images; NULL: forward alone */
    /* set by play; drop frees them */
    float *x, *y, *dx, *saved;
    size_t in, out, stride; /* floats an image */
} run;

/* Values of an image that are all different, in (0, 1). */
static inline void fill_image(float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = ((float)(i * 13 % count) + 0.5f) / (float)count;
}

static inline rt_buffer *buffer_of(size_t count)
{
    rt_buffer *b = NULL;
    CHECK(rt_buffer_create(ctx, (count ? count : 1) * sizeof(float), "test", &b, &err));
    CHECK(rt_buffer_fill(b, NAN, &err));
    return b;
}

static inline float *read_all(rt_buffer *b, size_t count)
{
    float *values = malloc((count + 1) * sizeof *values);
    assert_non_null(values);
    CHECK(rt_buffer_read(b, 0, values, count * sizeof *values, &err));
    rt_buffer_destroy(b);
    return values;
}

static inline layer *layer_of(const run *r)
{
    json_t *config = NULL;
    layer *l = NULL;
    CHECK(option_parse_text(r->options, &config, &err));
    CHECK(layer_create(layer_class_find(r->class_name), config, &l, &err));
    json_decref(config);
    CHECK(layer_connect(l, &r->image, 1, &err));
    return l;
}

static inline void play(run *r)
{
    size_t batch = (size_t)r->batch, most = r->largest ? (size_t)r->largest : batch;
    layer *l = layer_of(r);
    rt_list *list = NULL;
    r->in = shape_count(&l->input[0]);
    r->out = shape_count(&l->output);
    r->stride = l->saved_per_image;
    r->x = malloc(batch * r->in * sizeof *r->x);
    assert_non_null(r->x);
    for (size_t n = 0; n < batch; n++)
        fill_image(r->x + n * r->in, r->in);
    rt_buffer *x = buffer_of(most * r->in), *y = buffer_of(most * r->out), *dx = buffer_of(most * r->in);
    rt_buffer *dy = buffer_of(most * r->out), *saved = buffer_of(most * r->stride);
    rt_buffer *scratch = buffer_of(layer_find_needs(l, ctx, (int)most, NULL).backward_scratch);
    layer_io io = {.ctx = ctx, .batch = (int)most, .training = true, .seed = r->seed, .stream = r->stream, .input = {x},
                   .output = y, .d_output = dy, .d_input = {dx}, .saved = saved, .scratch = scratch};
    CHECK(rt_buffer_write(x, 0, r->x, batch * r->in * sizeof *r->x, &err));
    if (r->dy != NULL)
        CHECK(rt_buffer_write(dy, 0, r->dy, batch * r->out * sizeof *r->dy, &err));
    CHECK(rt_list_create(ctx, (int)most, &list, &err));
    CHECK(l->class->forward(l, &io, list, &err));
    if (r->dy != NULL)
        CHECK(l->class->backward(l, &io, list, &err));
    CHECK(rt_list_set_batch(list, r->batch, &err));
    CHECK(rt_list_set_int(list, RT_VAR_UPDATES, r->step, &err));
    CHECK(rt_list_play(list, 0, rt_list_length(list), &err));
    rt_list_destroy(list);
    r->y = read_all(y, most * r->out);
    r->dx = read_all(dx, most * r->in);
    r->saved = read_all(saved, most * r->stride);
    rt_buffer_destroy(x);
    rt_buffer_destroy(dy);
    rt_buffer_destroy(scratch);
    layer_destroy(l);
}

static inline void drop(run *r)
{
    free(r->x);
    free(r->y);
    free(r->dx);
    free(r->saved);
}

/* Within five standard deviations of what is expected. */
static inline void assert_share(const char *what, size_t found, size_t of, double share)
{
    double spread = sqrt((double)of * share * (1 - share));
    if (!(fabs((double)found - share * (double)of) <= 5 * spread))
        fail_msg("%s: %zu of %zu; a share of %g is expected", what, found, of, share);
}

#endif
