/* Shapes of tensors, without the batch. */
#ifndef BASE_SHAPE_H
#define BASE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "convoy/model.h"

/* The product of the dimensions; SIZE_MAX when it does not fit. */
size_t shape_count(const convoy_shape *shape);
bool shape_equal(const convoy_shape *a, const convoy_shape *b);
/* "(None, 32, 32, 3)"; returns out. */
const char *shape_text(const convoy_shape *shape, char *out, size_t size);

#endif
