/* A confusion matrix on the device: for each class, how many of its images were taken for which. */
#ifndef CONFUSION_H
#define CONFUSION_H

#include "runtime/runtime.h"

typedef struct confusion confusion;

/* `size` rows and columns, more than any label and any prediction of `outputs` outputs. A single output above `threshold` is class 1. */
convoy_status confusion_create(convoy_context *ctx, int outputs, int size, double threshold, confusion **out, convoy_error *err);
void confusion_destroy(confusion *c);

/* Appends the launch. */
convoy_status confusion_add(confusion *c, rt_list *list, const rt_buffer *z, const rt_buffer *labels, convoy_error *err);

/* Starts to count anew. */
convoy_status confusion_clear(confusion *c, convoy_error *err);
/* size x size counts: [true][predicted]. Waits for the device. */
convoy_status confusion_read(confusion *c, size_t *counts, convoy_error *err);

#endif
