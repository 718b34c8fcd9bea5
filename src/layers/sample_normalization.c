#include "layers/sample_normalization.h"

void sample_normalization_needs(const layer *l, const convoy_context *ctx, int batch, const epilogue_pool *pool, layer_needs *out)
{
    (void)pool;
    if (l->trainable)
        out->backward_scratch = ops_group_norm_scratch(ctx, &((const sample_normalization *)l->state)->norm, batch);
}

void sample_normalization_finish(layer *l, const convoy_shape *shape, int fan_in, int fan_out)
{
    sample_normalization *s = l->state;
    s->gamma = s->beta = -1;
    if (s->norm.scale) {
        s->gamma = l->param_count;
        layer_add_param(l, "gamma", *shape, s->gamma_initializer, fan_in, fan_out);
        layer_add_rules(l, &s->gamma_rules);
    }
    if (s->norm.center) {
        s->beta = l->param_count;
        layer_add_param(l, "beta", *shape, s->beta_initializer, fan_in, fan_out);
        layer_add_rules(l, &s->beta_rules);
    }
    l->output = l->input[0];
    l->backward_reads_input = true;
    l->saved_per_image = ops_group_norm_saved(&s->norm);
}

static group_norm_buffers buffers_of(const layer *l, const layer_io *io)
{
    const sample_normalization *s = l->state;
    bool scale = s->norm.scale, center = s->norm.center;
    return (group_norm_buffers){
        .x = io->input[0], .y = io->output, .saved = io->saved, .scratch = io->scratch, .dy = io->d_output,
        .dx = io->d_input[0], .gamma = scale ? io->param[s->gamma] : NULL, .beta = center ? io->param[s->beta] : NULL,
        .d_gamma = scale && l->trainable ? io->d_param[s->gamma] : NULL,
        .d_beta = center && l->trainable ? io->d_param[s->beta] : NULL,
    };
}

convoy_status sample_normalization_forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const sample_normalization *s = l->state;
    group_norm_buffers b = buffers_of(l, io);
    return ops_group_norm_forward(list, io->ctx, l->name, &s->norm, &b, io->batch, err);
}

convoy_status sample_normalization_backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    const sample_normalization *s = l->state;
    group_norm_buffers b = buffers_of(l, io);
    return ops_group_norm_backward(list, io->ctx, l->name, &s->norm, &b, io->batch, err);
}

void sample_normalization_reference_forward(const layer *l, const layer_reference *r)
{
    const sample_normalization *s = l->state;
    ops_group_norm_reference(&s->norm, r->batch, r->input[0], s->norm.scale ? r->param[s->gamma] : NULL,
                             s->norm.center ? r->param[s->beta] : NULL, r->output);
}

void sample_normalization_reference_backward(const layer *l, const layer_reference *r)
{
    const sample_normalization *s = l->state;
    bool scale = s->norm.scale, center = s->norm.center;
    ops_group_norm_reference_backward(&s->norm, r->batch, r->input[0], scale ? r->param[s->gamma] : NULL, r->d_output,
                                      r->d_input[0], scale ? r->d_param[s->gamma] : NULL,
                                      center ? r->d_param[s->beta] : NULL);
}

size_t sample_normalization_reduction(const layer *l, int batch)
{
    const group_norm *n = &((const sample_normalization *)l->state)->norm;
    size_t rows = (size_t)n->samples * (size_t)n->pixels * (size_t)batch;
    size_t values = (size_t)n->pixels * (size_t)(n->channels / n->groups);
    return rows > values ? rows : values;
}
