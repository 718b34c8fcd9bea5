/* Models: layers and their weights on the host. No device is needed to build, describe, load or save one. */
#ifndef CONVOY_MODEL_H
#define CONVOY_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convoy/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CONVOY_MAX_RANK 4

/* A tensor's dimensions without the batch: (H, W, C) has rank 3. */
typedef struct convoy_shape {
    int rank;
    int dim[CONVOY_MAX_RANK];
} convoy_shape;

typedef struct convoy_model convoy_model;

/* An empty model, Sequential as long as it is a chain. `name` NULL: "sequential", and "functional" when it becomes that. */
convoy_status convoy_model_create(const char *name, convoy_model **out, convoy_error *err);
void convoy_model_destroy(convoy_model *model);

/* Appends a layer by its Keras class name. `options` are the keyword arguments of Keras's constructor, written the same
 * way: "filters=32, kernel_size=(3, 3), padding='same', activation='relu'"; quotes around words may be left out.
 * NULL: none. The first layer is InputLayer with shape=(H, W, C).
 * Errors: CONVOY_ERROR_MODEL names the layer, the option and what is known; shapes that do not fit name both. */
convoy_status convoy_model_add(convoy_model *model, const char *class_name, const char *options, convoy_error *err);

/* Functional models: graphs with branches. The first of these calls makes the model functional, whatever was added before; then
 * convoy_model_add appends to the layer added last, and adds further InputLayers.
 *
 * Adds a layer that reads the layers named in `inputs`: "conv2d", or "left, right" for a layer that merges (at most 8). NULL for
 * an InputLayer. "conv2d[1]" is what the second use of a layer gave, "conv2d[0]" or "conv2d" the first. */
convoy_status convoy_model_connect(convoy_model *model, const char *class_name, const char *options, const char *inputs,
                                   convoy_error *err);

/* Uses a layer, or a model inside the model, once more, with the weights it has; what it gives is "NAME[1]", then "NAME[2]", ...
 * The gradients of all uses add up. */
convoy_status convoy_model_reuse(convoy_model *model, const char *name, const char *inputs, convoy_error *err);

/* Puts a copy of another model, weights included, into this one, to be called like a layer of that model's name. It reads as many
 * layers as it has inputs; "NAME[0][1]" is its second output. `inner` stays the caller's. */
convoy_status convoy_model_connect_model(convoy_model *model, const convoy_model *inner, const char *inputs,
                                         convoy_error *err);

/* Says which layers give the model's outputs, in their order; no layers can be added afterwards. Every layer must lead to one of
 * them. Without this call the outputs are the layers that no other reads. */
convoy_status convoy_model_set_outputs(convoy_model *model, const char *layers, convoy_error *err);

/* Draws all weights anew from their initializers: the same seed gives the same weights on every machine. */
convoy_status convoy_model_initialize(convoy_model *model, uint64_t seed, convoy_error *err);

/* Reads a model: a built-in name, a Keras JSON config, a `.keras` file, a `.h5` file as Keras 2 and 3 save whole models, or a layers
 * model of TensorFlow.js, its model.json with the shards of its weights in the same folder (told apart by content); with the
 * optimizer's state, where the file has one that training can go on from. A state that doesn't fit refuses no
 * file: training starts the optimizer afresh, and the context's on_message gets the reason. `.keras` files are read from Keras 2.12 on,
 * those saved on Windows too, `.h5` files from Keras 2.0 on; of TensorFlow.js quantized weights too (uint8, uint16, float16), but no
 * graph models, and no optimizer's state. Built in are, with their parameters as they come,
 *   cifar10          the network of Keras's CIFAR-10 tutorial                             225,034
 *   lenet5           LeCun et al. 1998, all of S2 to all of C3, for 32x32x1                61,706
 *   resnet20         He et al. 2015, as Keras's example cifar10_resnet (version 1, n = 3)   274,442
 *   vgg-small        3 VGG blocks with batch normalization and dropout                    552,874
 *   mobilenet-small  Keras's MobileNet(alpha=0.25, classes=10), first strides 1           221,114
 * All take (32, 32, 3), lenet5 (32, 32, 1), end in 10 logits, and have options in brackets, as Keras's functions have:
 * "resnet20(input_shape=(64, 64, 3), classes=100, augment=True)". augment: training images are shifted by up to 4 pixels and,
 * but for lenet5's, mirrored.
 * A config or a built-in name leaves the weights at zero: call convoy_model_initialize. */
convoy_status convoy_model_load(const char *name_or_path, convoy_model **out, convoy_error *err);
/* The names of the built-in models, from 0 on: "cifar10"; NULL past the last. */
const char *convoy_builtin_name(size_t i);

/* Reads a Keras JSON config (Sequential) from text. */
convoy_status convoy_model_from_json(const char *json, size_t length, convoy_model **out, convoy_error *err);

/* The model as a Keras JSON config, NUL-terminated; the caller frees it with free(). */
convoy_status convoy_model_to_json(const convoy_model *model, char **out, convoy_error *err);

/* Writes a `.keras` file that Keras 3 loads; written under a temporary name, synced and renamed, as all files are.
 * Errors: CONVOY_ERROR_ARGUMENT for a name that ends in .h5 (such models are read only) or like a file of weights. */
convoy_status convoy_model_save(const convoy_model *model, const char *path, convoy_error *err);

/* Writes an ONNX file (opset 17, IR version 8), the model outside of training: inputs and outputs are those of the model, in its
 * order and layout, (N, H, W, C), with the names of their layers; N is any batch size. Optimizer state is left out; names of classes
 * are a JSON list, class_names, among the file's metadata. Written under a temporary name, synced and renamed.
 * Errors: CONVOY_ERROR_MODEL names a layer that has no form in ONNX, or says that the weights are too large for such a file (2 GB);
 * CONVOY_ERROR_FILE. */
convoy_status convoy_model_export_onnx(const convoy_model *model, const char *path, convoy_error *err);

/* Writes what convoy_model_to_json gives, and a newline. */
convoy_status convoy_model_save_config(const convoy_model *model, const char *path, convoy_error *err);

/* Reads weights into a model that has the layers they are for (told apart by content):
 *   .weights.h5, .keras  as Keras 3 lays them out: by the layers' classes and order; with the optimizer's state, if the model has an
 *                        optimizer and the file holds that state
 *   .h5                  Keras 2's save_weights, and whole models of Keras 2 and 3: as in Keras, by the order of the layers that
 *                        have weights
 *   .safetensors         by name: "LAYER/kernel", "INNER_MODEL/LAYER/kernel" (Keras's variable.path; the model's own name may stand
 *                        in front); F32, F64, F16 or BF16. Every weight must be there, and no other
 *   model.json           TensorFlow.js's, by name as above: what stands in front of "LAYER/kernel" may be any model's name
 * Shapes are Keras's (kernels HWIO, Dense (in, out)). An optimizer's state that the file does not have starts afresh.
 * A failure leaves the model as it was. Errors: CONVOY_ERROR_FILE, CONVOY_ERROR_FORMAT. */
convoy_status convoy_model_load_weights(convoy_model *model, const char *path, convoy_error *err);

/* Has the model weights of its own: from a file, of convoy_model_initialize or of training, whatever their values? A config, a
 * built-in name and convoy_model_add leave it without, at zero. A model without parameters has all it needs. */
bool convoy_model_has_weights(const convoy_model *model);

/* Writes the weights, by the ending of the name: .weights.h5 (with the optimizer's state; Keras 3's load_weights reads it) or
 * .safetensors (F32, names as above; without the optimizer). Other endings are CONVOY_ERROR_ARGUMENT. */
convoy_status convoy_model_save_weights(const convoy_model *model, const char *path, convoy_error *err);

/* The names of the classes that the outputs stand for, copied; NULL or count 0: none. convoy_fit takes those of the data where
 * there are none yet. They are saved with the model in a
 * member of the .keras file of Convoy's own, convoy.json, which Keras leaves alone (and loses when it saves the model).
 * Bytes that are not UTF-8 are saved as '?'. */
convoy_status convoy_model_set_class_names(convoy_model *model, const char *const *names, size_t count, convoy_error *err);

/* Name of a class, or NULL: it has none. */
const char *convoy_model_class_name(const convoy_model *model, size_t index);

typedef struct convoy_summary_options {
    bool classic; /* Keras 2's table (65 columns, 98 with connections) instead of Keras 3's box */
    int columns;  /* width of the terminal; 0: 80, as Keras takes without a terminal */
    bool bold;    /* the title in ANSI bold, as Keras does on a terminal */
} convoy_summary_options;

convoy_status convoy_model_summary_sized(const convoy_model *model, const convoy_summary_options *options, size_t options_size,
                                         char **out, convoy_error *err);
/* Keras's summary table as text; the caller frees it with free(). `options` may be NULL. */
static inline convoy_status convoy_model_summary(const convoy_model *model, const convoy_summary_options *options, char **out,
                                                 convoy_error *err)
{
    return convoy_model_summary_sized(model, options, sizeof *options, out, err);
}

/* What a model is made of. Indices run from 0; layer 0 is an InputLayer. A layer used several times counts once (its output is that
 * of its first use); the layers of models inside the model count like all others. */
const char *convoy_model_name(const convoy_model *model);
size_t convoy_model_layer_count(const convoy_model *model);
const char *convoy_model_layer_name(const convoy_model *model, size_t layer);
const char *convoy_model_layer_class(const convoy_model *model, size_t layer);
convoy_shape convoy_model_layer_output(const convoy_model *model, size_t layer);
convoy_shape convoy_model_input(const convoy_model *model);  /* the first */
convoy_shape convoy_model_output(const convoy_model *model); /* the first */
size_t convoy_model_input_count(const convoy_model *model);
size_t convoy_model_output_count(const convoy_model *model);
convoy_shape convoy_model_input_at(const convoy_model *model, size_t input);
convoy_shape convoy_model_output_at(const convoy_model *model, size_t output);
size_t convoy_model_parameter_count(const convoy_model *model);

/* The weights of a layer in Keras's order (kernel, bias): `values` points into the model (row-major float32, kernels HWIO,
 * Dense (in, out)) and lives as long as it; returns 0 past the last one, else the number of values. */
size_t convoy_model_weights(convoy_model *model, size_t layer, size_t index, float **values, convoy_shape *shape);

/* How a layer's output size follows from its input and its options, with the numbers put in, for layers that compute one:
 * "(32 - 3) / 1 + 1 = 30 rows, (32 - 3) / 1 + 1 = 30 columns"; "" for others. A dilated kernel stands as what it covers,
 * (dilation * (kernel - 1) + 1). A layer that is used several times tells of its first use. The caller frees *out with free().
 * Errors: CONVOY_ERROR_ARGUMENT (no such layer). */
convoy_status convoy_model_layer_formula(const convoy_model *model, size_t layer, char **out, convoy_error *err);

/* The same for the whole model: the general formulas, then a line "  NAME: ..." for each layer that has one. */
convoy_status convoy_model_formulas(const convoy_model *model, char **out, convoy_error *err);

#ifdef __cplusplus
}
#endif
#endif
