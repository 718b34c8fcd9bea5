/* Functional models that tests of graphs and of plans share. Each test is a program of its own, so all is static. */
#ifndef GRAPH_MODELS_H
#define GRAPH_MODELS_H

#include "graph_help.h"

enum { SEED = 3 };

static inline void must(convoy_status status, const convoy_error *err)
{
    if (status != CONVOY_OK)
        fail_msg("%s", err->message);
}

static inline convoy_model *empty(void)
{
    convoy_model *m = NULL;
    ASSERT_OK(convoy_model_create(NULL, &m, &err));
    return m;
}

static inline void connect(convoy_model *m, const char *class_name, const char *options, const char *inputs)
{
    ASSERT_OK(convoy_model_connect(m, class_name, options, inputs, &err));
}

static inline void reuse(convoy_model *m, const char *name, const char *inputs)
{
    ASSERT_OK(convoy_model_reuse(m, name, inputs, &err));
}

/* tools/make_golden_graph.py, residual. */
static inline convoy_model *residual(void)
{
    convoy_model *m = NULL;
    ASSERT_OK(convoy_model_create("residual", &m, &err));
    ASSERT_OK(convoy_model_add(m, "InputLayer", "shape=(7, 6, 2), name=image", &err));
    ASSERT_OK(convoy_model_add(m, "Conv2D", "filters=4, kernel_size=3, padding=same, activation=relu, name=stem", &err));
    ASSERT_OK(convoy_model_add(m, "Conv2D", "filters=4, kernel_size=3, padding=same, activation=relu", &err));
    ASSERT_OK(convoy_model_add(m, "Conv2D", "filters=4, kernel_size=3, padding=same", &err));
    connect(m, "Add", NULL, "stem, conv2d_1");
    ASSERT_OK(convoy_model_add(m, "ReLU", NULL, &err));
    connect(m, "Conv2D", "filters=3, kernel_size=1, strides=2, activation=relu, padding=same", "re_lu");
    connect(m, "Conv2D", "filters=5, kernel_size=3, strides=2, padding=same", "re_lu");
    connect(m, "Concatenate", NULL, "conv2d_2,conv2d_3");
    ASSERT_OK(convoy_model_add(m, "MaxPooling2D", "pool_size=2, strides=2", &err));
    ASSERT_OK(convoy_model_add(m, "Flatten", NULL, &err));
    ASSERT_OK(convoy_model_add(m, "Dense", "units=3, name=logits", &err));
    return m;
}

/* The same, shared; its layers in another order. */
static inline convoy_model *shared(void)
{
    convoy_model *m = NULL;
    ASSERT_OK(convoy_model_create("shared", &m, &err));
    connect(m, "InputLayer", "shape=(6, 6, 2), name=input_layer", NULL);
    connect(m, "MaxPooling2D", "pool_size=2, strides=2", "input_layer");
    connect(m, "Conv2D", "filters=3, kernel_size=3, padding=same, activation=relu, name=twice", "input_layer");
    reuse(m, "twice", "max_pooling2d");
    connect(m, "Flatten", NULL, "twice");
    connect(m, "Flatten", NULL, "twice[1]");
    connect(m, "Dense", "units=6", "flatten");
    connect(m, "Dense", "units=6", "flatten_1");
    connect(m, "Dense", "units=6, activation=tanh, name=thrice", "dense");
    reuse(m, "thrice", "dense_1");
    connect(m, "Multiply", NULL, "thrice[0], thrice[1]");
    connect(m, "Subtract", NULL, "thrice, multiply");
    reuse(m, "thrice", "subtract");
    connect(m, "Average", NULL, "thrice[2], thrice[1], thrice[0]");
    connect(m, "Maximum", NULL, "average, thrice[1]");
    connect(m, "Minimum", NULL, "average, thrice, maximum");
    connect(m, "MaxPooling2D", "pool_size=6, strides=6", "twice");
    connect(m, "Multiply", NULL, "twice, max_pooling2d_1");
    ASSERT_OK(convoy_model_add(m, "MaxPooling2D", "pool_size=3, strides=3", &err));
    ASSERT_OK(convoy_model_add(m, "Flatten", NULL, &err));
    connect(m, "Concatenate", "axis=1", "maximum, minimum, flatten_2, subtract");
    connect(m, "Dense", "units=3", "concatenate");
    return m;
}

/* Two inputs through one encoder, which gives two outputs; a head that holds a model itself. */
static inline convoy_model *siamese(void)
{
    convoy_model *m = NULL, *encoder = NULL, *head = NULL, *tail = NULL;
    ASSERT_OK(convoy_model_create("encoder", &encoder, &err));
    connect(encoder, "InputLayer", "shape=(6,)", NULL);
    connect(encoder, "Dense", "units=5, activation=tanh, name=dense", "input_layer");
    connect(encoder, "Dense", "units=4, name=code", "dense");
    ASSERT_OK(convoy_model_set_outputs(encoder, "code, dense", &err));
    ASSERT_OK(convoy_model_create("tail", &tail, &err));
    ASSERT_OK(convoy_model_add(tail, "InputLayer", "shape=(4,)", &err));
    ASSERT_OK(convoy_model_add(tail, "Dense", "units=3", &err));
    ASSERT_OK(convoy_model_create("head", &head, &err));
    connect(head, "InputLayer", "shape=(4,), name=in", NULL);
    ASSERT_OK(convoy_model_connect_model(head, tail, "in", &err));
    ASSERT_OK(convoy_model_add(head, "Activation", "activation=sigmoid", &err));
    ASSERT_OK(convoy_model_initialize(encoder, SEED, &err));
    ASSERT_OK(convoy_model_initialize(head, SEED + 1, &err));
    ASSERT_OK(convoy_model_create("siamese", &m, &err));
    connect(m, "InputLayer", "shape=(6,), name=a", NULL);
    connect(m, "InputLayer", "shape=(6,), name=b", NULL);
    ASSERT_OK(convoy_model_connect_model(m, encoder, "a", &err));
    reuse(m, "encoder", "b");
    connect(m, "Subtract", "name=difference", "encoder[0][0], encoder[1]");
    ASSERT_OK(convoy_model_connect_model(m, head, "difference", &err));
    connect(m, "Multiply", "name=product", "encoder[0][1], encoder[1][1]");
    ASSERT_OK(convoy_model_set_outputs(m, "head, product", &err));
    convoy_model_destroy(encoder);
    convoy_model_destroy(tail);
    convoy_model_destroy(head);
    return m;
}

/* Outputs have readers too, and one is read through a Flatten. */
static inline convoy_model *two_outputs(void)
{
    convoy_model *m = empty();
    connect(m, "InputLayer", "shape=(3, 2), name=a", NULL);
    connect(m, "InputLayer", "shape=(6,), name=b", NULL);
    connect(m, "Dense", "units=4, activation=tanh, name=first", "a");
    connect(m, "Flatten", NULL, "first");
    connect(m, "Dense", "units=12, activation=sigmoid, name=second", "b");
    connect(m, "Multiply", "name=product", "flatten, second");
    connect(m, "Dense", "units=12, activation=tanh, name=third", "product");
    reuse(m, "third", "flatten");
    connect(m, "Add", "name=sum", "third, third[1], product, flatten, flatten");
    ASSERT_OK(convoy_model_set_outputs(m, "sum, first, product", &err));
    ASSERT_OK(convoy_model_initialize(m, SEED, &err));
    return m;
}

#endif
