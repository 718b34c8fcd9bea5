/* The pieces of a .keras file: a zip archive (libzip) with the model's config and compile_config as JSON (jansson) and
 * its weights as HDF5 (libhdf5). Messages of these functions do not name the file: keras_file_load and _save do. */
#ifndef KERAS_FILE_H
#define KERAS_FILE_H

#include "base/zip.h"
#include "model/keras_compile.h"

/* ---- Convoy's own members (keras_names.c) ---- */

/* Names of the classes and how far training had come as a JSON object (new reference), and back; what isn't such is read as no names. */
convoy_status keras_names_build(const convoy_model *model, json_t **out, convoy_error *err);
convoy_status keras_names_read(const char *data, size_t size, convoy_model *model, convoy_error *err);

/* ---- weights (keras_weights.c, keras_weights_write.c) ---- */

#define KERAS_PATH_SIZE 640 /* of a group or array: level.h's paths and a little more */

/* Keras's order of an optimizer's variables: the step, the rate (unless a schedule gives it), then the slots. */
typedef convoy_status (*keras_slot_visit)(void *user, const char *path, const convoy_shape *shape, float *values,
                                          convoy_error *err);
/* Visits the slots of the model's optimizer, and its scalar, in that order. */
convoy_status keras_slots_visit(convoy_model *model, keras_slot_visit visit, void *user, convoy_error *err);
size_t keras_slots_count(const convoy_model *model); /* how many that visits */
/* Keras 2 loses the product of Nadam's momenta; it follows from the steps. */
float keras_nadam_product(const optimizer_settings *settings, uint64_t steps);
/* Is the learning rate a variable of the file? It is at optimizer/vars/1. */
bool keras_rate_is_variable(const convoy_model *model);

/* Fills the model's weights, and its optimizer's slots when it has an optimizer and the file holds them all. */
convoy_status keras_weights_read(convoy_model *model, const char *data, size_t size, convoy_error *err);
/* The caller frees *out. */
convoy_status keras_weights_build(const convoy_model *model, char **out, size_t *size, convoy_error *err);

#endif
