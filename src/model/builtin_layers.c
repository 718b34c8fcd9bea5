/* The layers of the ready models. All end in logits, also those whose authors end in softmax: what convoy train takes by default.
 * Where the images have not the default size, the last pooling follows it. */
#include <stdio.h>

#include "model/builtin.h"

/* Appends rows of class and options, NULL-terminated. */
static convoy_status add_all(convoy_model *model, const char *const (*rows)[2], convoy_error *err)
{
    for (; (*rows)[0] != NULL; rows++)
        TRY(convoy_model_add(model, (*rows)[0], (*rows)[1], err));
    return CONVOY_OK;
}

/* Appends a layer whose options have one number in them, where %d is. */
static convoy_status add_number(convoy_model *model, const char *class_name, const char *format, int number,
                                convoy_error *err)
    __attribute__((format(printf, 3, 0)));
static convoy_status add_number(convoy_model *model, const char *class_name, const char *format, int number,
                                convoy_error *err)
{
    char options[160];
    snprintf(options, sizeof options, format, number);
    return convoy_model_add(model, class_name, options, err);
}

static convoy_status add_classes(convoy_model *model, const builtin_options *o, convoy_error *err)
{
    return add_number(model, "Dense", "units=%d", o->classes, err);
}

/* ---- cifar10: the network of Keras's and TensorFlow's CIFAR-10 tutorial; 225,034 parameters ---- */

static convoy_status build_cifar10(convoy_model *model, const builtin_options *o, convoy_error *err)
{
    static const char *const rows[][2] = {
        {"Conv2D", "filters=32, kernel_size=3, activation=relu"},
        {"MaxPooling2D", NULL},
        {"Conv2D", "filters=64, kernel_size=3, activation=relu"},
        {"MaxPooling2D", NULL},
        {"Conv2D", "filters=128, kernel_size=3, activation=relu"},
        {"Flatten", NULL},
        {"Dense", "units=64, activation=relu"},
        {NULL, NULL},
    };
    TRY(add_all(model, rows, err));
    return add_classes(model, o, err);
}

/* ---- lenet5: LeCun et al. 1998, in the form that is usual today ----
 * Every map of C3 reads all maps of S2, subsampling is a plain average, the last layer is dense: 61,706 parameters. As in the
 * paper smaller images are padded with zeros to 32 x 32. */

static convoy_status pad_to_32(convoy_model *model, const convoy_shape *shape, convoy_error *err)
{
    int missing[2];
    char options[96];
    for (int d = 0; d < 2; d++)
        missing[d] = shape->dim[d] < 32 ? 32 - shape->dim[d] : 0;
    if (missing[0] + missing[1] == 0)
        return CONVOY_OK;
    snprintf(options, sizeof options, "padding=((%d, %d), (%d, %d))", missing[0] / 2, missing[0] - missing[0] / 2,
             missing[1] / 2, missing[1] - missing[1] / 2);
    return convoy_model_add(model, "ZeroPadding2D", options, err);
}

static convoy_status build_lenet5(convoy_model *model, const builtin_options *o, convoy_error *err)
{
    static const char *const rows[][2] = {
        {"Conv2D", "filters=6, kernel_size=5, activation=tanh"},
        {"AveragePooling2D", "pool_size=2"},
        {"Conv2D", "filters=16, kernel_size=5, activation=tanh"},
        {"AveragePooling2D", "pool_size=2"},
        {"Flatten", NULL},
        {"Dense", "units=120, activation=tanh"},
        {"Dense", "units=84, activation=tanh"},
        {NULL, NULL},
    };
    TRY(pad_to_32(model, &o->input_shape, err));
    TRY(add_all(model, rows, err));
    return add_classes(model, o, err);
}

/* ---- resnet20: He et al. 2015 as Keras's example cifar10_resnet (version 1, n = 3) has it ----
 * Shortcuts that change the size are 1x1 convolutions, all convolutions have biases and an l2 of 1e-4: 274,442 parameters. */

/* The layer added last. */
static const char *tip(const convoy_model *model) { return model->nodes[model->tip].layer->name; }

static convoy_status connect_conv(convoy_model *model, const char *from, int filters, int kernel, int strides,
                                  convoy_error *err)
{
    char options[160];
    snprintf(options, sizeof options, "filters=%d, kernel_size=%d, strides=%d, padding=same, kernel_initializer=he_normal, "
             "kernel_regularizer=L2(l2=0.0001)", filters, kernel, strides);
    return convoy_model_connect(model, "Conv2D", options, from, err);
}

/* relu(BN(conv(BN(conv))) + shortcut) */
static convoy_status add_block(convoy_model *model, int filters, int strides, convoy_error *err)
{
    const char *from = tip(model), *shortcut = from, *sum;
    char both[2 * sizeof model->nodes[0].layer->name + 4];
    TRY(connect_conv(model, from, filters, 3, strides, err));
    TRY(convoy_model_add(model, "BatchNormalization", NULL, err));
    TRY(convoy_model_add(model, "Activation", "activation=relu", err));
    TRY(connect_conv(model, tip(model), filters, 3, 1, err));
    TRY(convoy_model_add(model, "BatchNormalization", NULL, err));
    sum = tip(model);
    if (strides > 1) {
        TRY(connect_conv(model, from, filters, 1, strides, err));
        shortcut = tip(model);
    }
    snprintf(both, sizeof both, "%s, %s", shortcut, sum);
    TRY(convoy_model_connect(model, "Add", NULL, both, err));
    return convoy_model_add(model, "Activation", "activation=relu", err);
}

static convoy_status build_resnet20(convoy_model *model, const builtin_options *o, convoy_error *err)
{
    char pool[64];
    TRY(connect_conv(model, tip(model), 16, 3, 1, err));
    TRY(convoy_model_add(model, "BatchNormalization", NULL, err));
    TRY(convoy_model_add(model, "Activation", "activation=relu", err));
    for (int stack = 0; stack < 3; stack++)
        for (int block = 0; block < 3; block++)
            TRY(add_block(model, 16 << stack, stack > 0 && block == 0 ? 2 : 1, err));
    const convoy_shape *last = &model->nodes[model->tip].layer->output;
    snprintf(pool, sizeof pool, "pool_size=(%d, %d)", last->dim[0], last->dim[1]); /* 8 x 8 of 32 x 32 */
    TRY(convoy_model_add(model, "AveragePooling2D", pool, err));
    TRY(convoy_model_add(model, "Flatten", NULL, err));
    return add_number(model, "Dense", "units=%d, kernel_initializer=he_normal", o->classes, err);
}

/* ---- vgg-small: three blocks in the manner of VGG with batch normalization and dropout ----
 * The last model of J. Brownlee, "How to Develop a CNN From Scratch for CIFAR-10 Photo Classification": 552,874 parameters. */

static convoy_status build_vgg_small(convoy_model *model, const builtin_options *o, convoy_error *err)
{
    static const char *const dropout[] = {"rate=0.2", "rate=0.3", "rate=0.4"};
    for (int block = 0; block < 3; block++) {
        for (int i = 0; i < 2; i++) {
            TRY(add_number(model, "Conv2D", "filters=%d, kernel_size=3, padding=same, activation=relu, "
                           "kernel_initializer=he_uniform", 32 << block, err));
            TRY(convoy_model_add(model, "BatchNormalization", NULL, err));
        }
        TRY(convoy_model_add(model, "MaxPooling2D", NULL, err));
        TRY(convoy_model_add(model, "Dropout", dropout[block], err));
    }
    TRY(convoy_model_add(model, "Flatten", NULL, err));
    TRY(convoy_model_add(model, "Dense", "units=128, activation=relu, kernel_initializer=he_uniform", err));
    TRY(convoy_model_add(model, "BatchNormalization", NULL, err));
    TRY(convoy_model_add(model, "Dropout", "rate=0.5", err));
    return add_classes(model, o, err);
}

/* ---- mobilenet-small: keras.applications.MobileNet with alpha=0.25 ----
 * For small images the first convolution has strides 1 instead of 2, which changes no parameter: 221,114 with 10 classes. Layers
 * have the names that Keras gives them there. */

static convoy_status add_mobile_block(convoy_model *model, int id, int filters, int strides, convoy_error *err)
{
    char options[160];
    if (strides > 1) {
        snprintf(options, sizeof options, "padding=((0, 1), (0, 1)), name=conv_pad_%d", id);
        TRY(convoy_model_add(model, "ZeroPadding2D", options, err));
    }
    snprintf(options, sizeof options, "kernel_size=3, strides=%d, padding=%s, use_bias=False, name=conv_dw_%d", strides,
             strides > 1 ? "valid" : "same", id);
    TRY(convoy_model_add(model, "DepthwiseConv2D", options, err));
    TRY(add_number(model, "BatchNormalization", "name=conv_dw_%d_bn", id, err));
    TRY(add_number(model, "ReLU", "max_value=6, name=conv_dw_%d_relu", id, err));
    snprintf(options, sizeof options, "filters=%d, kernel_size=1, padding=same, use_bias=False, name=conv_pw_%d", filters, id);
    TRY(convoy_model_add(model, "Conv2D", options, err));
    TRY(add_number(model, "BatchNormalization", "name=conv_pw_%d_bn", id, err));
    return add_number(model, "ReLU", "max_value=6, name=conv_pw_%d_relu", id, err);
}

static convoy_status build_mobilenet_small(convoy_model *model, const builtin_options *o, convoy_error *err)
{
    /* A quarter of 64, 128, ...; the sizes are halved where the filters are doubled, but for the first. */
    static const int filters[] = {16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256};
    static const char *const begin[][2] = {
        {"Conv2D", "filters=8, kernel_size=3, padding=same, use_bias=False, name=conv1"},
        {"BatchNormalization", "name=conv1_bn"},
        {"ReLU", "max_value=6, name=conv1_relu"},
        {NULL, NULL},
    };
    TRY(add_all(model, begin, err));
    for (int i = 0; i < 13; i++)
        TRY(add_mobile_block(model, i + 1, filters[i], i > 0 && filters[i] > filters[i - 1] ? 2 : 1, err));
    TRY(convoy_model_add(model, "GlobalAveragePooling2D", "keepdims=True", err));
    TRY(convoy_model_add(model, "Dropout", "rate=0.001, name=dropout", err));
    TRY(add_number(model, "Conv2D", "filters=%d, kernel_size=1, padding=same, name=conv_preds", o->classes, err));
    return add_number(model, "Reshape", "target_shape=(%d,), name=reshape_2", o->classes, err);
}

/* ---- the table ---- */

const builtin_row builtin_rows[] = {
    {"cifar10", NULL, {3, {32, 32, 3}}, true, build_cifar10},
    {"lenet5", "lenet5", {3, {32, 32, 1}}, false, build_lenet5},
    {"resnet20", "resnet20", {3, {32, 32, 3}}, true, build_resnet20},
    {"vgg-small", "vgg_small", {3, {32, 32, 3}}, true, build_vgg_small},
    {"mobilenet-small", "mobilenet_small", {3, {32, 32, 3}}, true, build_mobilenet_small},
    {0},
};
