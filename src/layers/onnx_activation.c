/* Activations in ONNX: an operator, or a few. Formulas: ops/activation.c. */
#include <string.h>

#include "layers/onnx.h"

/* Gives the activation of x. */
typedef onnx_value form_fn(onnx_graph *g, const activation *act, onnx_value x, onnx_layout layout);

#define FORM(name) static onnx_value name(onnx_graph *g, const activation *act, onnx_value x, onnx_layout layout)
#define UNUSED ((void)act, (void)layout)

static onnx_value with(onnx_graph *g, const char *op, onnx_value x, onnx_attribute first, onnx_attribute second)
{
    return onnx_add(g, &(onnx_node){.op = op, .input = {x}, .attribute = {first, second}});
}

#define NO_ATTRIBUTE (onnx_attribute){0}
#define REAL(name, value) (onnx_attribute)ONNX_FLOAT(name, value)

static onnx_value times(onnx_graph *g, onnx_value x, double factor)
{
    return onnx_binary(g, "Mul", x, onnx_scalar(g, factor));
}

static onnx_value plus(onnx_graph *g, onnx_value x, double more)
{
    return onnx_binary(g, "Add", x, onnx_scalar(g, more));
}

FORM(linear)
{
    (void)g, UNUSED;
    return x;
}
FORM(relu6) { return UNUSED, onnx_clip(g, x, 0, 6); }
FORM(hard_tanh) { return UNUSED, onnx_clip(g, x, -1, 1); }
FORM(leaky_relu) { return UNUSED, with(g, "LeakyRelu", x, REAL("alpha", act->argument), NO_ATTRIBUTE); }
FORM(elu) { return UNUSED, with(g, "Elu", x, REAL("alpha", act->argument), NO_ATTRIBUTE); }
FORM(celu) { return UNUSED, with(g, "Celu", x, REAL("alpha", 1), NO_ATTRIBUTE); }
FORM(selu) { return UNUSED, with(g, "Selu", x, REAL("alpha", 1.6732632423543772), REAL("gamma", 1.0507009873554805)); }
FORM(hard_sigmoid) { return UNUSED, with(g, "HardSigmoid", x, REAL("alpha", 1.0 / 6), REAL("beta", 0.5)); }
FORM(sparse_sigmoid) { return UNUSED, with(g, "HardSigmoid", x, REAL("alpha", 0.5), REAL("beta", 0.5)); }
FORM(hard_shrink) { return UNUSED, with(g, "Shrink", x, REAL("lambd", 0.5), REAL("bias", 0)); }
FORM(soft_shrink) { return UNUSED, with(g, "Shrink", x, REAL("lambd", 0.5), REAL("bias", 0.5)); }

static onnx_value over_channels(onnx_graph *g, const char *op, onnx_value x, onnx_layout layout)
{
    return with(g, op, x, (onnx_attribute)ONNX_INT("axis", layout == ONNX_FIRST ? 1 : -1), NO_ATTRIBUTE);
}

FORM(softmax) { return UNUSED, over_channels(g, "Softmax", x, layout); }
FORM(log_softmax) { return UNUSED, over_channels(g, "LogSoftmax", x, layout); }

FORM(silu) { return UNUSED, onnx_binary(g, "Mul", x, onnx_unary(g, "Sigmoid", x)); }
FORM(gelu)
{
    onnx_value twice = plus(g, onnx_unary(g, "Erf", times(g, x, 0.70710678118654752)), 1);
    return UNUSED, onnx_binary(g, "Mul", times(g, x, 0.5), twice);
}
FORM(mish) { return UNUSED, onnx_binary(g, "Mul", x, onnx_unary(g, "Tanh", onnx_unary(g, "Softplus", x))); }
FORM(log_sigmoid) { return UNUSED, onnx_unary(g, "Neg", onnx_unary(g, "Softplus", onnx_unary(g, "Neg", x))); }
FORM(tanh_shrink) { return UNUSED, onnx_binary(g, "Sub", x, onnx_unary(g, "Tanh", x)); }
FORM(squareplus)
{
    onnx_value root = onnx_unary(g, "Sqrt", plus(g, onnx_binary(g, "Mul", x, x), 4));
    return UNUSED, times(g, onnx_binary(g, "Add", x, root), 0.5);
}
/* (x + 1)^2 / 4 up to 1, where it is 1 and what is above 1 is added. */
FORM(sparse_plus)
{
    onnx_value base = plus(g, onnx_clip(g, x, -1, 1), 1), above = onnx_unary(g, "Relu", plus(g, x, -1));
    return UNUSED, onnx_binary(g, "Add", times(g, onnx_binary(g, "Mul", base, base), 0.25), above);
}

/* By the names of ops/activation.c; an operator where that says it all. */
static const struct form {
    const char *name, *op;
    form_fn *make;
} forms[] = {
    {"linear", NULL, linear},
    {"relu", "Relu", NULL},
    {"sigmoid", "Sigmoid", NULL},
    {"tanh", "Tanh", NULL},
    {"softmax", NULL, softmax},
    {"elu", NULL, elu},
    {"gelu", NULL, gelu},
    {"silu", NULL, silu},
    {"leaky_relu", NULL, leaky_relu},
    {"relu6", NULL, relu6},
    {"selu", NULL, selu},
    {"celu", NULL, celu},
    {"softplus", "Softplus", NULL},
    {"softsign", "Softsign", NULL},
    {"squareplus", NULL, squareplus},
    {"soft_shrink", NULL, soft_shrink},
    {"sparse_plus", NULL, sparse_plus},
    {"tanh_shrink", NULL, tanh_shrink},
    {"sparse_sigmoid", NULL, sparse_sigmoid},
    {"exponential", "Exp", NULL},
    {"hard_sigmoid", NULL, hard_sigmoid},
    {"hard_silu", "HardSwish", NULL},
    {"hard_tanh", NULL, hard_tanh},
    {"hard_shrink", NULL, hard_shrink},
    {"mish", NULL, mish},
    {"log_sigmoid", NULL, log_sigmoid},
    {"log_softmax", NULL, log_softmax},
};

onnx_value onnx_activate(onnx_graph *g, const activation *act, onnx_value x, onnx_layout layout)
{
    const char *name = act->row ? act->row->name : act->name;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(forms[i].name, name) == 0)
            return forms[i].make ? forms[i].make(g, act, x, layout) : onnx_unary(g, forms[i].op, x);
    return onnx_refuse(g, "activation", name);
}
