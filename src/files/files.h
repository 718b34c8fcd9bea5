/* The readers and writers of models and weights, one pair a kind of file; load.c, save.c and weights_file.c choose among them. */
#ifndef FILES_H
#define FILES_H

#include "model/model.h"

/* What kind of file this is, by its first bytes (JSON and safetensors also by the name's ending). */
typedef enum model_file_kind {
    MODEL_FILE_EMPTY,
    MODEL_FILE_ZIP,
    MODEL_FILE_HDF5,
    MODEL_FILE_SAFETENSORS,
    MODEL_FILE_JSON,
    MODEL_FILE_OTHER,
} model_file_kind;
convoy_status model_file_kind_of(const char *path, model_file_kind *out, convoy_error *err);

/* .keras files. Can they be read and written? If not, says what to install. */
convoy_status keras_file_supported(convoy_error *err);
convoy_status keras_file_load(const char *path, convoy_model **out, convoy_error *err);
convoy_status keras_file_save(const convoy_model *model, const char *path, convoy_error *err);
/* A whole model in Keras's older form (.h5). */
convoy_status keras_legacy_load(const char *path, convoy_model **out, convoy_error *err);

/* Weights alone, into a model that has the layers: those of a .keras file; of an HDF5 file, in Keras's newer form (.weights.h5) or
 * its older one; of a safetensors file. A failure leaves the model half filled. */
convoy_status keras_file_load_weights(convoy_model *model, const char *path, convoy_error *err);
convoy_status keras_weights_load(convoy_model *model, const char *path, convoy_error *err);
convoy_status keras_weights_save(const convoy_model *model, const char *path, convoy_error *err);
convoy_status safetensors_load(convoy_model *model, const char *path, convoy_error *err);
convoy_status safetensors_save(const convoy_model *model, const char *path, convoy_error *err);

#endif
