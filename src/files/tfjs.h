/* Layers models of TensorFlow.js: a model.json with the model's Keras config and a manifest of its weights, whose bytes lie in files
 * beside it, the shards. https://github.com/tensorflow/tfjs: tfjs-converter/python/tensorflowjs/{write,read}_weights.py,
 * quantization.py and tfjs-core/src/io/types.ts describe them. */
#ifndef TFJS_H
#define TFJS_H

#include "model/model.h"

/* ---- model.json (tfjs.c) ---- */

/* Is this JSON one of TensorFlow.js's, not a Keras config? */
bool tfjs_is(const json_t *root);
/* The model, with its weights unless there is no manifest; `path` is the file's, for the shards beside it. Takes the config into the
 * words of today's Keras where it stands. Messages do not name the file. */
convoy_status tfjs_read(json_t *root, const char *path, convoy_model **out, convoy_error *err);
/* The weights alone, into a model that has the layers; a failure leaves it half filled. */
convoy_status tfjs_read_weights(convoy_model *model, const json_t *root, const char *path, convoy_error *err);

/* ---- the manifest (tfjs_manifest.c) ---- */

/* How a value is stored, little-endian. */
typedef enum tfjs_kind { TFJS_FLOAT32, TFJS_INT32, TFJS_FLOAT16, TFJS_UINT16, TFJS_UINT8, TFJS_BOOL } tfjs_kind;

typedef struct tfjs_weight {
    const char *name;     /* the file's */
    const json_t *shape;  /* checked: a list of sizes */
    tfjs_kind kind;
    bool quantized;       /* value = stored * scale + min */
    bool whole;           /* and that rounded: they were int32 */
    double scale, min;
    size_t group;
    size_t count, first, bytes; /* values; where they stand in the group's bytes */
    bool is_optimizers;   /* the optimizer's state, not the model's */
    bool used;            /* the reader's own mark */
} tfjs_weight;

/* The shards of a group are one stream of bytes, in which its weights lie one behind the other. */
typedef struct tfjs_manifest {
    const json_t *groups;
    tfjs_weight *weights; /* of all groups, in their order */
    size_t count;
} tfjs_manifest;

/* Reads and checks the list `groups`, which must outlive the manifest. */
convoy_status tfjs_manifest_parse(const json_t *groups, tfjs_manifest *out, convoy_error *err);
void tfjs_manifest_free(tfjs_manifest *manifest);
/* The bytes of a group out of its shards in the folder of `path`; the caller frees *out. */
convoy_status tfjs_manifest_read(const tfjs_manifest *manifest, size_t group, const char *path, unsigned char **out, convoy_error *err);
/* A weight's values out of its group's bytes; `out` has room for its count. */
void tfjs_manifest_values(const tfjs_weight *weight, const unsigned char *bytes, float *out);

/* ---- whose weight is whose (tfjs_weights.c) ---- */

/* Fills all weights of the model, by name. *state: has the file an optimizer's state too? */
convoy_status tfjs_weights_read(convoy_model *model, const json_t *groups, const char *path, bool *state, convoy_error *err);

#endif
