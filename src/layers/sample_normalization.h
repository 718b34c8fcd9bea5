/* What GroupNormalization and LayerNormalization share: values of an image are normalised by mean and variance of a part of them.
 * Formulas and kernels: cl/group_norm.cl. */
#ifndef LAYERS_SAMPLE_NORMALIZATION_H
#define LAYERS_SAMPLE_NORMALIZATION_H

#include "layers/layer.h"
#include "ops/group_norm.h"

typedef struct sample_normalization {
    option_axes axis;
    int groups;       /* GroupNormalization's */
    double epsilon;
    bool center, scale;
    bool rms_scaling; /* LayerNormalization's */
    initializer beta_initializer, gamma_initializer;
    param_rules beta_rules, gamma_rules;
    group_norm norm;  /* set by build */
    int gamma, beta;  /* indices of the parameters, set by build; -1: none */
} sample_normalization;

/* The rows of both. */
#define SAMPLE_NORMALIZATION_AT(member) .offset = offsetof(sample_normalization, member)
#define SAMPLE_NORMALIZATION_OPTIONS                                                                                                 \
    {.name = "axis", .kind = OPTION_AXES, SAMPLE_NORMALIZATION_AT(axis), .standard = "-1"},                                          \
        {.name = "epsilon", .kind = OPTION_FLOAT, SAMPLE_NORMALIZATION_AT(epsilon), .standard = "0.001", .least = 0, .most = 1e30},  \
        {.name = "center", .kind = OPTION_BOOL, SAMPLE_NORMALIZATION_AT(center), .standard = "true"},                                \
        {.name = "scale", .kind = OPTION_BOOL, SAMPLE_NORMALIZATION_AT(scale), .standard = "true"},                                  \
        {.name = "beta_initializer", .kind = OPTION_INITIALIZER, SAMPLE_NORMALIZATION_AT(beta_initializer),                          \
         .standard = "\"zeros\""},                                                                                                   \
        {.name = "gamma_initializer", .kind = OPTION_INITIALIZER, SAMPLE_NORMALIZATION_AT(gamma_initializer),                        \
         .standard = "\"ones\""},                                                                                                    \
        OPTION_RULES("beta", sample_normalization, beta_rules), OPTION_RULES("gamma", sample_normalization, gamma_rules)

/* For build, once `norm` is set: the parameters, of this shape and with these fans, the output, and what backward needs. */
void sample_normalization_finish(layer *l, const convoy_shape *shape, int fan_in, int fan_out);

/* For layer_class. */
void sample_normalization_needs(const layer *l, const convoy_context *ctx, int batch, const epilogue_pool *pool, layer_needs *out);
convoy_status sample_normalization_forward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err);
convoy_status sample_normalization_backward(const layer *l, const layer_io *io, rt_list *list, convoy_error *err);
void sample_normalization_reference_forward(const layer *l, const layer_reference *r);
void sample_normalization_reference_backward(const layer *l, const layer_reference *r);
/* The longer of a parameter's gradient and of a part's mean. */
size_t sample_normalization_reduction(const layer *l, int batch);

#endif
