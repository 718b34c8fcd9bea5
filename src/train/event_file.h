/* TensorBoard's event files: records of protocol buffers, as TensorFlow 2's summaries are. */
#ifndef EVENT_FILE_H
#define EVENT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

typedef struct event_file event_file;

/* A new file in a folder, which is made. Its name has the time, the host, the process and a number in it. */
convoy_status event_file_create(const char *folder, event_file **out, convoy_error *err);
void event_file_close(event_file *file);

/* A float under a name at a step. What is written is on its way to the disk after event_file_flush. */
convoy_status event_file_scalar(event_file *file, const char *tag, int64_t step, float value, convoy_error *err);
/* How values are spread, in 30 buckets of the same width. */
convoy_status event_file_histogram(event_file *file, const char *tag, int64_t step, const float *values, size_t count,
                                   convoy_error *err);
/* PNG images of one size. */
convoy_status event_file_images(event_file *file, const char *tag, int64_t step, int height, int width, const text *png,
                                int count, convoy_error *err);
convoy_status event_file_flush(event_file *file, convoy_error *err);

/* The checksum of the records: CRC-32C (Castagnoli), and its masked form. */
uint32_t event_crc(const void *data, size_t size);
uint32_t event_masked_crc(const void *data, size_t size);

#endif
