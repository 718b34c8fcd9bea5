#include "ops/group_norm.h"

#include <math.h>
#include <stdio.h>

#include "ops/elementwise.h"

size_t ops_group_norm_saved(const group_norm *n) { return 2 * (size_t)n->samples * (size_t)n->groups; }

static int chunk_rows(const convoy_context *ctx, const group_norm *n, int batch)
{
    long rows = (long)n->samples * n->pixels * batch;
    long chunks = rt_wants_vectors(ctx) ? 8L * convoy_context_device(ctx)->compute_units : 256;
    long each = (rows + chunks - 1) / chunks;
    return (int)(each > 32 ? each : 32);
}

static size_t chunk_count(const convoy_context *ctx, const group_norm *n, int batch)
{
    size_t each = (size_t)chunk_rows(ctx, n, batch), rows = (size_t)n->samples * (size_t)n->pixels * (size_t)batch;
    return (rows + each - 1) / each;
}

size_t ops_group_norm_scratch(const convoy_context *ctx, const group_norm *n, int batch)
{
    return n->scale || n->center ? 2 * (size_t)n->channels * chunk_count(ctx, n, batch) : 0;
}

/* A launch and the texts that it points to. */
typedef struct pass {
    rt_launch launch;
    char label[160], options[256];
    unsigned width;
} pass;

static void begin(pass *p, const convoy_context *ctx, const char *layer, const group_norm *n, int batch, const char *what,
                  const char *kernel)
{
    p->width = ops_channel_width(ctx, n->channels / n->groups);
    snprintf(p->label, sizeof p->label, "%s %s", layer, what);
    snprintf(p->options, sizeof p->options,
             "-DVW=%u -DPIXELS=%d -DGROUPS=%d -DK=%d -DCHUNK=%d -DSCALE=%d -DCENTER=%d -DRMS=%d -DEPSILON=%.9ef", p->width,
             n->pixels, n->groups, n->channels / n->groups, chunk_rows(ctx, n, batch), n->scale, n->center, n->rms,
             n->epsilon);
    p->launch = (rt_launch){.label = p->label, .source = "group_norm", .kernel = kernel, .options = p->options};
}

static void push(pass *p, const rt_buffer *const *buffers, int count)
{
    for (int i = 0; i < count; i++) /* what is NULL is never touched: any buffer does */
        rt_push(&p->launch, RT_BUFFER(buffers[i] ? buffers[i] : buffers[0]));
}

/* A work-item for each group of each sample. */
static convoy_status add_groups(pass *p, rt_list *list, const convoy_context *ctx, const group_norm *n, int tensors,
                                convoy_error *err)
{
    rt_push(&p->launch, RT_BATCH(n->samples * n->groups));
    ops_range(&p->launch, ctx, (size_t)n->samples * (size_t)n->groups, 0, 1);
    if (rt_wants_vectors(ctx) && n->pixels * (n->channels / n->groups) >= 512)
        p->launch.local[0] = 1;
    p->launch.bytes_per_image = 4.0 * tensors * n->samples * n->pixels * n->channels;
    return rt_list_add(list, &p->launch, err);
}

convoy_status ops_group_norm_forward(rt_list *list, convoy_context *ctx, const char *layer, const group_norm *n,
                                     const group_norm_buffers *b, int batch, convoy_error *err)
{
    pass p;
    begin(&p, ctx, layer, n, batch, "forward", "group_norm_forward");
    push(&p, (const rt_buffer *[]){b->x, b->gamma, b->beta, b->y, b->saved}, 5);
    return add_groups(&p, list, ctx, n, 2, err);
}

static convoy_status add_sums(rt_list *list, convoy_context *ctx, const char *layer, const group_norm *n,
                              const group_norm_buffers *b, int batch, convoy_error *err)
{
    pass p;
    begin(&p, ctx, layer, n, batch, "backward chunks", "group_norm_chunks");
    push(&p, (const rt_buffer *[]){b->x, b->dy, b->saved, b->scratch}, 4);
    rt_push(&p.launch, RT_BATCH(n->samples * n->pixels));
    ops_range(&p.launch, ctx, 0, chunk_count(ctx, n, batch) * (size_t)n->channels, p.width);
    if (rt_wants_vectors(ctx))
        p.launch.local[0] = 1;
    p.launch.bytes_per_image = 8.0 * n->samples * n->pixels * n->channels;
    TRY(rt_list_add(list, &p.launch, err));
    begin(&p, ctx, layer, n, batch, "backward sums", "group_norm_sums");
    push(&p, (const rt_buffer *[]){b->scratch, b->d_gamma, b->d_beta}, 3);
    rt_push(&p.launch, RT_BATCH(n->samples * n->pixels));
    ops_range(&p.launch, ctx, 0, (size_t)n->channels, p.width);
    return rt_list_add(list, &p.launch, err);
}

convoy_status ops_group_norm_backward(rt_list *list, convoy_context *ctx, const char *layer, const group_norm *n,
                                      const group_norm_buffers *b, int batch, convoy_error *err)
{
    pass p;
    if (b->d_gamma || b->d_beta)
        TRY(add_sums(list, ctx, layer, n, b, batch, err));
    if (b->dx == NULL)
        return CONVOY_OK;
    begin(&p, ctx, layer, n, batch, "backward", "group_norm_backward");
    push(&p, (const rt_buffer *[]){b->x, b->dy, b->gamma, b->saved, b->dx}, 5);
    return add_groups(&p, list, ctx, n, 3, err);
}

/* ---- the reference: one group of one sample at a time ---- */

typedef struct group {
    size_t offset, first, channels, size; /* of its sample; its first channel; a row of the tensor; channels of the group */
    double mean, inverse, center;         /* center: what is subtracted */
} group;

static group group_of(const group_norm *n, const double *x, size_t i)
{
    group g = {.channels = (size_t)n->channels, .size = (size_t)(n->channels / n->groups)};
    size_t pixels = (size_t)n->pixels;
    double variance = 0, count = (double)(pixels * g.size);
    g.offset = i / (size_t)n->groups * pixels * g.channels;
    g.first = i % (size_t)n->groups * g.size;
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = g.first; c < g.first + g.size; c++)
            g.mean += x[g.offset + p * g.channels + c] / count;
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = g.first; c < g.first + g.size; c++)
            variance += pow(x[g.offset + p * g.channels + c] - g.mean, 2) / count;
    g.inverse = 1 / sqrt(variance + n->epsilon);
    g.center = n->rms ? 0 : g.mean;
    return g;
}

void ops_group_norm_reference(const group_norm *n, int batch, const double *x, const double *gamma, const double *beta,
                              double *y)
{
    for (size_t i = 0; i < (size_t)batch * (size_t)n->samples * (size_t)n->groups; i++) {
        group g = group_of(n, x, i);
        for (size_t p = 0; p < (size_t)n->pixels; p++)
            for (size_t c = g.first; c < g.first + g.size; c++) {
                size_t at = g.offset + p * g.channels + c;
                y[at] = (x[at] - g.center) * g.inverse * (gamma ? gamma[c] : 1) + (beta ? beta[c] : 0);
            }
    }
}

/* By the chain rule through the variance and, unless rms, the mean. */
static void backward_group(const group_norm *n, const group *g, const double *x, const double *gamma, const double *dy,
                           double *dx, double *d_gamma, double *d_beta)
{
    double count = (double)n->pixels * (double)g->size, d_inverse = 0, d_center = 0;
    for (size_t p = 0; p < (size_t)n->pixels; p++)
        for (size_t c = g->first; c < g->first + g->size; c++) {
            size_t at = g->offset + p * g->channels + c;
            double d = dy[at] * (gamma ? gamma[c] : 1);
            d_inverse += d * (x[at] - g->center);
            d_center -= n->rms ? 0 : d * g->inverse;
            if (d_gamma)
                d_gamma[c] += dy[at] * (x[at] - g->center) * g->inverse;
            if (d_beta)
                d_beta[c] += dy[at];
        }
    double d_variance = -0.5 * d_inverse * pow(g->inverse, 3);
    for (size_t p = 0; dx && p < (size_t)n->pixels; p++)
        for (size_t c = g->first; c < g->first + g->size; c++) {
            size_t at = g->offset + p * g->channels + c;
            dx[at] = dy[at] * (gamma ? gamma[c] : 1) * g->inverse + d_center / count +
                     d_variance * 2 * (x[at] - g->mean) / count;
        }
}

void ops_group_norm_reference_backward(const group_norm *n, int batch, const double *x, const double *gamma,
                                       const double *dy, double *dx, double *d_gamma, double *d_beta)
{
    for (size_t i = 0; i < (size_t)batch * (size_t)n->samples * (size_t)n->groups; i++) {
        group g = group_of(n, x, i);
        backward_group(n, &g, x, gamma, dy, dx, d_gamma, d_beta);
    }
}
