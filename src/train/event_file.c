/* Format: tensorflow/core/lib/io/record_writer.cc; messages: tensorflow/core/util/event.proto, framework/summary.proto and
 * framework/tensor.proto; buckets: tensorboard/plugins/histogram/summary_v2.py. */
#include "train/event_file.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/protobuf.h"
#include "base/text.h"

enum { BUCKETS = 30 };

struct event_file {
    FILE *file;
    char path[PATH_MAX];
};

/* ---- checksums ---- */

uint32_t event_crc(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x82F63B78u : crc >> 1;
    }
    return ~crc;
}

uint32_t event_masked_crc(const void *data, size_t size)
{
    uint32_t crc = event_crc(data, size);
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

/* ---- records ---- */

static convoy_status fail(const event_file *file, convoy_error *err)
{
    return base_fail(err, CONVOY_ERROR_FILE, "%s: can't write: %s", file->path, strerror(errno));
}

/* length, its checksum, the event, its checksum. Frees the event. */
static convoy_status write_record(event_file *file, text *event, convoy_error *err)
{
    text record = {0};
    char *bytes = NULL;
    proto_little(&record, event->length, 8);
    proto_little(&record, record.failed ? 0 : event_masked_crc(record.data, 8), 4);
    text_add_bytes(&record, event->data, event->length);
    proto_little(&record, event->failed ? 0 : event_masked_crc(event->data, event->length), 4);
    record.failed |= event->failed;
    text_free(event);
    size_t size = record.length;
    TRY(text_take(&record, &bytes, err));
    size_t written = fwrite(bytes, 1, size, file->file);
    free(bytes);
    return written == size ? CONVOY_OK : fail(file, err);
}

static void begin_event(text *event)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    proto_key(event, 1, PROTO_FIXED64);
    proto_double(event, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
}

/* An event with one value. `class` is TensorFlow's DataClass: 1 scalar, 2 tensor, 3 blobs. The tensor is freed. */
static convoy_status write_value(event_file *file, const char *tag, int64_t step, const char *plugin, int class,
                                 text *tensor, convoy_error *err)
{
    text event = {0}, summary = {0}, value = {0}, metadata = {0}, data = {0};
    proto_string(&data, 1, plugin);
    proto_message(&metadata, 1, &data);
    proto_number(&metadata, 4, (uint64_t)class);
    proto_string(&value, 1, tag);
    proto_message(&value, 8, tensor);
    proto_message(&value, 9, &metadata);
    proto_message(&summary, 1, &value);
    begin_event(&event);
    proto_number(&event, 2, (uint64_t)step);
    proto_message(&event, 5, &summary);
    return write_record(file, &event, err);
}

/* ---- values ---- */

enum { DT_FLOAT = 1, DT_DOUBLE = 2, DT_STRING = 7 };

convoy_status event_file_scalar(event_file *file, const char *tag, int64_t step, float value, convoy_error *err)
{
    text tensor = {0}, shape = {0};
    proto_number(&tensor, 1, DT_FLOAT);
    proto_message(&tensor, 2, &shape);
    proto_key(&tensor, 5, PROTO_BYTES); /* float_val, packed */
    proto_varint(&tensor, 4);
    proto_floats(&tensor, &value, 1);
    return write_value(file, tag, step, "scalars", 1, &tensor, err);
}

/* Rows of left edge, right edge, count. Values that are all the same are in the last bucket; those that are not finite in none. */
static void fill_buckets(const float *values, size_t count, double out[BUCKETS][3])
{
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i])) {
            least = fmin(least, values[i]);
            most = fmax(most, values[i]);
        }
    bool any = least <= most;
    double width = any ? (most - least) / BUCKETS : 0.0;
    for (int b = 0; b < BUCKETS; b++) {
        out[b][0] = any ? least + b * width : 0.0;
        out[b][1] = !any ? 0.0 : b + 1 == BUCKETS ? most : least + (b + 1) * width;
        out[b][2] = 0.0;
    }
    for (size_t i = 0; i < count; i++) {
        double at = width > 0.0 ? floor((values[i] - least) / width) : BUCKETS - 1;
        if (isfinite(values[i]))
            out[at < BUCKETS ? (int)at : BUCKETS - 1][2] += 1.0;
    }
}

convoy_status event_file_histogram(event_file *file, const char *tag, int64_t step, const float *values, size_t count,
                                   convoy_error *err)
{
    double buckets[BUCKETS][3];
    text tensor = {0}, shape = {0};
    fill_buckets(values, count, buckets);
    for (int d = 0; d < 2; d++) {
        text dim = {0};
        proto_number(&dim, 1, d == 0 ? BUCKETS : 3);
        proto_message(&shape, 2, &dim);
    }
    proto_number(&tensor, 1, DT_DOUBLE);
    proto_message(&tensor, 2, &shape);
    proto_key(&tensor, 4, PROTO_BYTES); /* tensor_content */
    proto_varint(&tensor, sizeof buckets);
    for (int b = 0; b < BUCKETS; b++)
        for (int k = 0; k < 3; k++)
            proto_double(&tensor, buckets[b][k]);
    return write_value(file, tag, step, "histograms", 2, &tensor, err);
}

/* The width, the height and the files, all as strings: tensorboard/plugins/image/summary_v2.py. */
convoy_status event_file_images(event_file *file, const char *tag, int64_t step, int height, int width, const text *png,
                                int count, convoy_error *err)
{
    char number[16];
    text tensor = {0}, shape = {0}, dim = {0};
    proto_number(&dim, 1, 2 + (uint64_t)count);
    proto_message(&shape, 2, &dim);
    proto_number(&tensor, 1, DT_STRING);
    proto_message(&tensor, 2, &shape);
    snprintf(number, sizeof number, "%d", width);
    proto_string(&tensor, 8, number);
    snprintf(number, sizeof number, "%d", height);
    proto_string(&tensor, 8, number);
    for (int i = 0; i < count; i++)
        proto_bytes(&tensor, 8, png[i].data, png[i].length);
    return write_value(file, tag, step, "images", 3, &tensor, err);
}

/* ---- files ---- */

static convoy_status write_version(event_file *file, convoy_error *err)
{
    text event = {0};
    begin_event(&event);
    proto_string(&event, 3, "brain.Event:2");
    return write_record(file, &event, err);
}

static convoy_status open_new(event_file *file, const char *folder, convoy_error *err)
{
    char host[256] = "";
    TRY(file_make_folder(folder, err));
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')
        text_copy(host, sizeof host, "localhost");
    for (int number = 0;; number++) {
        int n = snprintf(file->path, sizeof file->path, "%s/events.out.tfevents.%010lld.%s.%ld.%d.v2", folder,
                         (long long)time(NULL), host, (long)getpid(), number);
        if (n < 0 || (size_t)n >= sizeof file->path)
            return base_fail(err, CONVOY_ERROR_FILE, "%s: the path is too long", folder);
        file->file = fopen(file->path, "wbx");
        if (file->file != NULL)
            return write_version(file, err);
        if (errno != EEXIST)
            return fail(file, err);
    }
}

convoy_status event_file_create(const char *folder, event_file **out, convoy_error *err)
{
    event_file *file = calloc(1, sizeof *file);
    if (file == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = open_new(file, folder, err);
    if (status == CONVOY_OK)
        *out = file;
    else
        event_file_close(file);
    return status;
}

void event_file_close(event_file *file)
{
    if (file == NULL)
        return;
    if (file->file != NULL)
        fclose(file->file);
    free(file);
}

convoy_status event_file_flush(event_file *file, convoy_error *err)
{
    return fflush(file->file) == 0 ? CONVOY_OK : fail(file, err);
}
