#include "ops/activation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Each activation and its slope, as Keras has it with TensorFlow at the kinks too. `a` is the argument. */
#define VALUE(name) static double name(double z, double a)
#define SLOPE(name) static double name##_slope(double z, double y, double a)
#define UNUSED_VALUE ((void)a)
#define UNUSED_SLOPE ((void)z, (void)y, (void)a)

VALUE(linear) { return UNUSED_VALUE, z; }
SLOPE(linear) { return UNUSED_SLOPE, 1.0; }
VALUE(relu) { return UNUSED_VALUE, z > 0 ? z : 0; }
SLOPE(relu) { return UNUSED_SLOPE, y > 0 ? 1.0 : 0.0; }
VALUE(relu6) { return UNUSED_VALUE, fmin(fmax(z, 0.0), 6.0); }
SLOPE(relu6) { return UNUSED_SLOPE, y > 0 && y < 6 ? 1.0 : 0.0; }
VALUE(leaky) { return z < 0 ? a * z : z; }
SLOPE(leaky) { return UNUSED_SLOPE, y > 0 ? 1.0 : a; }
VALUE(sigmoid) { return UNUSED_VALUE, 1.0 / (1.0 + exp(-z)); }
SLOPE(sigmoid) { return UNUSED_SLOPE, y * (1.0 - y); }
VALUE(hyperbolic) { return UNUSED_VALUE, tanh(z); }
SLOPE(hyperbolic) { return UNUSED_SLOPE, 1.0 - y * y; }
VALUE(exponential) { return UNUSED_VALUE, exp(z); }
SLOPE(exponential) { return UNUSED_SLOPE, y; }

/* ---- smooth for negative inputs ---- */

VALUE(elu) { return z < 0 ? a * expm1(z) : z; }
SLOPE(elu) { return UNUSED_SLOPE, y > 0 ? 1.0 : y + a; }

/* Keras adds max(z, 0) and expm1(min(z, 0)): at 0 both give their slope. */
VALUE(celu) { return UNUSED_VALUE, z < 0 ? expm1(z) : z; }
SLOPE(celu) { return UNUSED_SLOPE, y > 0 ? 1.0 : y < 0 ? y + 1.0 : 2.0; }

#define SELU_SCALE 1.0507009873554805
#define SELU_SCALE_ALPHA 1.7580993408473769
VALUE(selu) { return UNUSED_VALUE, z < 0 ? SELU_SCALE_ALPHA * expm1(z) : SELU_SCALE * z; }
SLOPE(selu) { return UNUSED_SLOPE, y < 0 ? y + SELU_SCALE_ALPHA : SELU_SCALE; }

VALUE(silu) { return z * sigmoid(z, a); }
SLOPE(silu)
{
    double s = sigmoid(z, a);
    return UNUSED_SLOPE, s * (1.0 + z * (1.0 - s));
}

static double normal_cdf(double z) { return 0.5 * (1.0 + erf(z * 0.70710678118654752)); }
VALUE(gelu) { return UNUSED_VALUE, z * normal_cdf(z); }
SLOPE(gelu) { return UNUSED_SLOPE, normal_cdf(z) + z * 0.39894228040143268 * exp(-0.5 * z * z); }

VALUE(softplus) { return UNUSED_VALUE, fmax(z, 0.0) + log1p(exp(-fabs(z))); }
SLOPE(softplus) { return UNUSED_SLOPE, sigmoid(z, a); }
VALUE(log_sigmoid) { return -softplus(-z, a); }
SLOPE(log_sigmoid) { return UNUSED_SLOPE, sigmoid(-z, a); }

VALUE(mish) { return z * tanh(softplus(z, a)); }
SLOPE(mish)
{
    double t = tanh(softplus(z, a));
    return UNUSED_SLOPE, t + z * (1.0 - t * t) * sigmoid(z, a);
}

VALUE(squareplus) { return UNUSED_VALUE, 0.5 * (z + sqrt(z * z + 4.0)); }
SLOPE(squareplus) { return UNUSED_SLOPE, 0.5 * (1.0 + z / sqrt(z * z + 4.0)); }
VALUE(softsign) { return UNUSED_VALUE, z / (1.0 + fabs(z)); }
SLOPE(softsign) { return UNUSED_SLOPE, 1.0 / ((1.0 + fabs(z)) * (1.0 + fabs(z))); }

/* ---- of straight pieces, or parabolas ---- */

VALUE(hard_sigmoid) { return relu6(z + 3.0, a) / 6.0; }
SLOPE(hard_sigmoid) { return UNUSED_SLOPE, y > 0 && y < 1 ? 1.0 / 6.0 : 0.0; }
VALUE(hard_silu) { return z * hard_sigmoid(z, a); }
SLOPE(hard_silu)
{
    double h = hard_sigmoid(z, a);
    return UNUSED_SLOPE, h + z * hard_sigmoid_slope(z, h, a);
}
VALUE(hard_tanh) { return UNUSED_VALUE, fmin(fmax(z, -1.0), 1.0); }
SLOPE(hard_tanh) { return UNUSED_SLOPE, z >= -1 && z <= 1 ? 1.0 : 0.0; }
VALUE(hard_shrink) { return UNUSED_VALUE, fabs(z) > 0.5 ? z : 0.0; }
SLOPE(hard_shrink) { return UNUSED_SLOPE, y != 0 ? 1.0 : 0.0; }
VALUE(soft_shrink) { return UNUSED_VALUE, z - fmin(fmax(z, -0.5), 0.5); }
SLOPE(soft_shrink) { return UNUSED_SLOPE, y != 0 ? 1.0 : 0.0; }
VALUE(tanh_shrink) { return UNUSED_VALUE, z - tanh(z); }
SLOPE(tanh_shrink) { return UNUSED_SLOPE, tanh(z) * tanh(z); }
VALUE(sparse_plus) { return UNUSED_VALUE, z <= -1 ? 0.0 : z < 1 ? 0.25 * (z + 1.0) * (z + 1.0) : z; }
SLOPE(sparse_plus) { return UNUSED_SLOPE, z <= -1 ? 0.0 : z < 1 ? 0.5 * (z + 1.0) : 1.0; }
VALUE(sparse_sigmoid) { return UNUSED_VALUE, z <= -1 ? 0.0 : z >= 1 ? 1.0 : 0.5 * (z + 1.0); }
SLOPE(sparse_sigmoid) { return UNUSED_SLOPE, y > 0 && y < 1 ? 0.5 : 0.0; }

#define ROW(name, from_output, function) {name, true, from_output, function, function##_slope, 0, NULL, NULL, ""}
#define ROW_WITH(name, function, argument, macro)                                                                      \
    {name, true, true, function, function##_slope, argument, macro, NULL, ""}

static const activation rows[] = {
    ROW("linear", true, linear),
    ROW("relu", true, relu),
    ROW("sigmoid", true, sigmoid),
    ROW("tanh", true, hyperbolic),
    {"softmax", false, true, NULL, NULL, 0, NULL, NULL, ""},
    ROW_WITH("elu", elu, 1.0, "ELU_ALPHA"),
    ROW("gelu", false, gelu),
    ROW("silu", false, silu),
    ROW_WITH("leaky_relu", leaky, 0.2, "LEAKY_RELU_SLOPE"),
    ROW("relu6", true, relu6),
    ROW("selu", true, selu),
    ROW("celu", true, celu),
    ROW("softplus", true, softplus),
    ROW("softsign", true, softsign),
    ROW("squareplus", true, squareplus),
    ROW("soft_shrink", true, soft_shrink),
    ROW("sparse_plus", true, sparse_plus),
    ROW("tanh_shrink", false, tanh_shrink),
    ROW("sparse_sigmoid", true, sparse_sigmoid),
    ROW("exponential", true, exponential),
    ROW("hard_sigmoid", true, hard_sigmoid),
    ROW("hard_silu", false, hard_silu),
    ROW("hard_tanh", false, hard_tanh),
    ROW("hard_shrink", true, hard_shrink),
    ROW("mish", false, mish),
    ROW("log_sigmoid", true, log_sigmoid),
    {"log_softmax", false, true, NULL, NULL, 0, NULL, NULL, ""},
};

const activation *activation_at(size_t i)
{
    return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

const activation *activation_find(const char *name)
{
    static const char *const others[][2] = {
        {"swish", "silu"}, {"hard_swish", "hard_silu"}, /* Keras's own */
        {"softmax_v2", "softmax"}, {"log_softmax_v2", "log_softmax"}, /* what tf.keras called TensorFlow's functions */
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(others[i][0], name) == 0)
            name = others[i][1];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

bool activation_fuses(const activation *act) { return act && act->elementwise && act->from_output; }

void activation_with(const char *name, double argument, activation_choice *out)
{
    const activation *row = activation_find(name);
    out->act = row;
    if (argument == row->argument)
        return;
    out->own = *row;
    out->own.argument = argument;
    out->own.row = row;
    snprintf(out->own.text, sizeof out->own.text, "%s -D%s=%.9ef", row->name, row->macro, argument);
    out->own.name = out->own.text;
    out->act = &out->own;
}

void activation_names(char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof rows / sizeof *rows && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", rows[i].name);
}
