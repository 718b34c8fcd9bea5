/* Models of one layer: a class and one of its samples. Each test is a program of its own, so all is static. */
#ifndef SAMPLE_MODEL_H
#define SAMPLE_MODEL_H

#include "graph_help.h"

/* Adds "in0", and, when wanted, "pool0" behind it: a pooling that changes no value, but leaves the image (N, C, H, W). Appends what
 * the layer is to read to `names`. */
static inline void add_input(convoy_model *model, int k, const convoy_shape *shape, bool turned, char *names, size_t size)
{
    char options[128] = "shape=(", name[16], pool[64];
    for (int i = 0; i < shape->rank; i++)
        snprintf(options + strlen(options), sizeof options - strlen(options), "%d,", shape->dim[i]);
    snprintf(options + strlen(options), sizeof options - strlen(options), "), name=in%d", k);
    ASSERT_OK(convoy_model_connect(model, "InputLayer", options, NULL, &err));
    turned = turned && shape->rank == 3;
    snprintf(name, sizeof name, "in%d", k);
    snprintf(pool, sizeof pool, "pool_size=1, name=pool%d", k);
    if (turned)
        ASSERT_OK(convoy_model_connect(model, "MaxPooling2D", pool, name, &err));
    snprintf(names + strlen(names), size - strlen(names), "%s%s%d", k ? ", " : "", turned ? "pool" : "in", k);
}

/* Samples of a class that merges may have several inputs. */
static inline int inputs_of(const layer_class *class, const layer_sample *sample, convoy_shape inputs[LAYER_MAX_INPUTS])
{
    inputs[0] = sample->input;
    return class->merges ? layer_sample_inputs(class, sample, inputs) : 1;
}

/* The class with its sample's options, of weights 0. */
static inline convoy_model *sample_model(const layer_class *class, const layer_sample *sample, bool turned)
{
    convoy_model *model = NULL;
    convoy_shape inputs[LAYER_MAX_INPUTS];
    char names[256] = "";
    int count = inputs_of(class, sample, inputs);
    ASSERT_OK(convoy_model_create("sample", &model, &err));
    for (int k = 0; k < count; k++)
        add_input(model, k, &inputs[k], turned, names, sizeof names);
    ASSERT_OK(convoy_model_connect(model, class->name, sample->options, names, &err));
    return model;
}

#endif
