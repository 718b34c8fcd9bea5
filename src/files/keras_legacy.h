/* Keras's older HDF5 files, which Keras 2 wrote and Keras 3 still does: a whole model (.h5), or its weights alone. */
#ifndef KERAS_LEGACY_H
#define KERAS_LEGACY_H

#include "files/keras_hdf5.h"

/* Whole models have their weights in this group; files of weights have them at the root. */
#define LEGACY_WEIGHTS "model_weights"
#define LEGACY_LAYERS "layer_names"

/* Fills the model's weights from the groups of a file, one for each layer, in `group` ("/": the root). `by_name`: each layer looks
 * for the group of its name; else, as in Keras, the layers and the groups that have weights are taken in turn. `trained`, unless NULL,
 * gets the names of the trained weights, in the model's order; the caller frees them, also after a failure. */
convoy_status keras_legacy_weights(convoy_model *model, const hdf5_file *file, const char *group, bool by_name, hdf5_names *trained,
                                   convoy_error *err);

/* Fills the optimizer's state, if the model has an optimizer. One that doesn't fit starts afresh, as in Keras, and the model keeps the
 * reason. */
convoy_status keras_legacy_optimizer(convoy_model *model, const hdf5_file *file, const hdf5_names *trained, convoy_error *err);

#endif
