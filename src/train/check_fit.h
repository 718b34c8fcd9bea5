/* Do a model and a data set fit together? */
#ifndef CHECK_FIT_H
#define CHECK_FIT_H

#include "convoy/dataset.h"
#include "model/model.h"

/* Errors: CONVOY_ERROR_MODEL, naming both shapes. */
convoy_status check_fit(const convoy_model *model, const convoy_dataset *data, convoy_error *err);

/* Has the model at most one input and one output? `who_takes` begins the message's second half. */
convoy_status check_single(const convoy_model *model, const char *who_takes, convoy_error *err);

/* The batch size to plan for: `wanted` (0: 32), at most all the rows. Errors: CONVOY_ERROR_ARGUMENT. */
convoy_status check_batch(int wanted, size_t rows, int *out, convoy_error *err);

#endif
