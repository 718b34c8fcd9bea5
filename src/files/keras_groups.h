/* Which group of an HDF5 file holds a layer's weights. Keras names the groups by the layers' classes and counts them, but not always
 * as today: layers/conv2d, layers/conv2d_1 (Keras 3); layers\conv2d (2.13 to 2.15 on Windows); _layer_checkpoint_dependencies/conv2d,
 * .../conv2d_2 (2.12 and 2.13, which count a layer with weights twice). */
#ifndef KERAS_GROUPS_H
#define KERAS_GROUPS_H

#include "files/keras_hdf5.h"

typedef struct keras_groups keras_groups;

/* Lists the file's groups and the model's layers, which both must outlive it. */
convoy_status keras_groups_open(const hdf5_file *file, const convoy_model *model, keras_groups **out, convoy_error *err);
void keras_groups_close(keras_groups *groups);
/* Has the file any groups of layers that have weights? */
bool keras_groups_any(const keras_groups *groups);

/* The group of variables of the layer at level_walk's `path`, which needs so many. When the file has none that fits, the error lists
 * what it has. */
convoy_status keras_groups_find(const keras_groups *groups, const char *path, int needed, char out[KERAS_PATH_SIZE],
                                convoy_error *err);

#endif
