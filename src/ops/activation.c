#include "ops/activation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double linear(double z) { return z; }
static double linear_slope(double z, double y) { return (void)z, (void)y, 1.0; }
static double relu(double z) { return z > 0 ? z : 0; }
static double relu_slope(double z, double y) { return (void)z, y > 0 ? 1.0 : 0.0; }
static double leaky(double z) { return z < 0 ? 0.2 * z : z; }
static double leaky_slope(double z, double y) { return (void)z, y > 0 ? 1.0 : 0.2; }
static double sigmoid(double z) { return 1.0 / (1.0 + exp(-z)); }
static double sigmoid_slope(double z, double y) { return (void)z, y * (1.0 - y); }
static double tanh_slope(double z, double y) { return (void)z, 1.0 - y * y; }
static double elu(double z) { return z < 0 ? expm1(z) : z; }
static double elu_slope(double z, double y) { return (void)z, y < 0 ? y + 1.0 : 1.0; }
static double silu(double z) { return z * sigmoid(z); }
static double normal_cdf(double z) { return 0.5 * (1.0 + erf(z * 0.70710678118654752)); }
static double gelu(double z) { return z * normal_cdf(z); }

static double silu_slope(double z, double y)
{
    (void)y;
    double s = sigmoid(z);
    return s * (1.0 + z * (1.0 - s));
}

static double gelu_slope(double z, double y)
{
    (void)y;
    return normal_cdf(z) + z * 0.39894228040143268 * exp(-0.5 * z * z);
}

static const activation rows[] = {
    {"linear", true, true, linear, linear_slope},
    {"relu", true, true, relu, relu_slope},
    {"sigmoid", true, true, sigmoid, sigmoid_slope},
    {"tanh", true, true, tanh, tanh_slope},
    {"softmax", false, true, NULL, NULL},
    {"elu", true, true, elu, elu_slope},
    {"gelu", true, false, gelu, gelu_slope},
    {"silu", true, false, silu, silu_slope},
    {"leaky_relu", true, true, leaky, leaky_slope},
};

const activation *activation_find(const char *name)
{
    if (strcmp(name, "swish") == 0) /* Keras's other name */
        name = "silu";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

void activation_names(char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof rows / sizeof *rows && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", rows[i].name);
}
