/* A data set on the device: resident as bytes or floats, or streamed batch by batch when it does not fit. Either way one kernel gathers a
 * batch and makes it float, so the results are the same to the bit. */
#ifndef FEED_H
#define FEED_H

#include "convoy/dataset.h"
#include "runtime/runtime.h"

typedef struct feed feed;

/* Keeps `data` (not owned). `stream`: do not even try to make it resident. */
convoy_status feed_create(convoy_context *ctx, const convoy_dataset *data, int batch, bool stream, feed **out,
                          convoy_error *err);
void feed_destroy(feed *f);
bool feed_is_streamed(const feed *f);
/* Images and labels on the device: the whole data set, or two batches when it is streamed. */
size_t feed_data_bytes(const feed *f);

/* Appends the gather launch: the batch goes to `x` divided by `scale`, its labels to feed_labels. */
convoy_status feed_add(feed *f, rt_list *list, const rt_buffer *x, double scale, convoy_error *err);
const rt_buffer *feed_labels(const feed *f); /* int, one per image of the batch */

/* The order of rows for the coming epoch: shuffled by (seed, epoch), or as they are. */
convoy_status feed_shuffle(feed *f, uint64_t seed, uint32_t epoch, convoy_error *err);
convoy_status feed_unshuffle(feed *f, convoy_error *err);
const int32_t *feed_order(const feed *f); /* the row that comes i-th */

/* Before playing a step on rows [first, first + batch) of the order: sets the list's variables and, when streaming, sends the
 * batch and makes the device wait for it. After playing: notes that the slot is in use until then. */
convoy_status feed_begin(feed *f, rt_list *list, size_t first, int batch, convoy_error *err);
convoy_status feed_end(feed *f, convoy_error *err);
/* Streaming only: packs and sends the batch after this one while the device works. */
convoy_status feed_prefetch(feed *f, size_t first, int batch, convoy_error *err);

#endif
