#include "convoy/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/data.h"

size_t dataset_image_values(const convoy_dataset *data)
{
    return (size_t)data->shape.dim[0] * (size_t)data->shape.dim[1] * (size_t)data->shape.dim[2];
}

size_t dataset_image_bytes(const convoy_dataset *data)
{
    return dataset_image_values(data) * (data->floats ? sizeof(float) : 1);
}

static convoy_status check_shape(const convoy_shape *shape, convoy_error *err)
{
    if (shape->rank != 3)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "data set: a shape of rank %d; 3 is expected: (H, W, C)",
                         shape->rank);
    const int *dim = shape->dim;
    int bytes = 1; /* one image stays countable by an int, as kernels index it */
    for (int i = 0; i < 3; i++)
        if (dim[i] < 1 || __builtin_mul_overflow(bytes, dim[i], &bytes))
            return base_fail(err, CONVOY_ERROR_ARGUMENT,
                             "data set: images of shape (%d, %d, %d); each dimension must be at least 1 and an image "
                             "smaller than 2 GiB",
                             dim[0], dim[1], dim[2]);
    return CONVOY_OK;
}

convoy_status dataset_new(convoy_shape shape, int classes, const char *const *names, convoy_dataset **out,
                          convoy_error *err)
{
    TRY(check_shape(&shape, err));
    if (classes < 1)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "data set: %d classes; at least 1 is expected", classes);
    convoy_dataset *data = calloc(1, sizeof *data);
    if (data == NULL)
        return OUT_OF_MEMORY(err);
    data->shape = shape;
    data->classes = classes;
    convoy_status status = pixels_create(&data->pixels, err);
    if (status == CONVOY_OK && names != NULL)
        status = dataset_set_names(data, names, err);
    if (status != CONVOY_OK) {
        convoy_dataset_destroy(data);
        return status;
    }
    *out = data;
    return CONVOY_OK;
}

static void free_names(char **names, int classes)
{
    for (int i = 0; names != NULL && i < classes; i++)
        free(names[i]);
    free(names);
}

convoy_status dataset_set_names(convoy_dataset *data, const char *const *names, convoy_error *err)
{
    char **copy = calloc((size_t)data->classes, sizeof *copy);
    if (copy == NULL)
        return OUT_OF_MEMORY(err);
    for (int i = 0; i < data->classes; i++) {
        copy[i] = names[i] == NULL ? NULL : strdup(names[i]);
        if (copy[i] != NULL)
            continue;
        free_names(copy, data->classes);
        if (names[i] == NULL)
            return base_fail(err, CONVOY_ERROR_ARGUMENT, "data set: class %d has no name; name all %d classes or none",
                             i, data->classes);
        return OUT_OF_MEMORY(err);
    }
    free_names(data->names, data->classes);
    data->names = copy;
    return CONVOY_OK;
}

convoy_status dataset_reserve(convoy_dataset *data, size_t more, convoy_error *err)
{
    size_t count, image_bytes, label_bytes;
    /* Rows are numbered by int32 on the device. */
    if (__builtin_add_overflow(data->count, more, &count) || count > INT32_MAX ||
        __builtin_mul_overflow(count, dataset_image_bytes(data), &image_bytes) ||
        __builtin_mul_overflow(count, sizeof(int32_t), &label_bytes))
        return base_fail(err, CONVOY_ERROR_ARGUMENT,
                         "data set: %zu and %zu images of %zu bytes are too many; at most %d images are possible",
                         data->count, more, dataset_image_bytes(data), INT32_MAX);
    TRY(pixels_reserve(data->pixels, image_bytes, err));
    data->images = data->pixels->bytes;
    int32_t *labels = realloc(data->labels, label_bytes);
    if (labels == NULL)
        return OUT_OF_MEMORY(err);
    data->labels = labels;
    return CONVOY_OK;
}

static convoy_status check_labels(const int32_t *labels, size_t count, int classes, convoy_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (labels[i] < 0 || labels[i] >= classes)
            return base_fail(err, CONVOY_ERROR_ARGUMENT, "data set: image %zu has the label %d; 0 to %d are expected",
                             i, (int)labels[i], classes - 1);
    return CONVOY_OK;
}

static convoy_status find_range(convoy_dataset *data, convoy_error *err)
{
    data->least = INFINITY;
    data->most = -INFINITY;
    for (size_t i = 0; i < data->count * dataset_image_values(data); i++) {
        float value = dataset_value(data, i);
        if (!isfinite(value))
            return base_fail(err, CONVOY_ERROR_ARGUMENT, "data set: value %zu of the images is %g; numbers are expected", i,
                             (double)value);
        data->least = value < data->least ? value : data->least;
        data->most = value > data->most ? value : data->most;
    }
    return CONVOY_OK;
}

/* Of bytes or of floats. */
static convoy_status create(const void *images, bool floats, const int32_t *labels, size_t count, convoy_shape shape, int classes,
                            const char *const *names, convoy_dataset **out, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    convoy_dataset *data = NULL;
    if (images == NULL || labels == NULL || out == NULL || count == 0)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "data set: no %s; at least one labelled image is expected",
                         images == NULL ? "images" : labels == NULL ? "labels" : count == 0 ? "images (count 0)"
                                                                                            : "place for the result");
    TRY_GOTO(dataset_new(shape, classes, names, &data, err));
    data->floats = data->prepared = floats;
    TRY_GOTO(dataset_reserve(data, count, err)); /* refuses a senseless count before a label is read */
    TRY_GOTO(check_labels(labels, count, classes, err));
    memcpy(data->images, images, count * dataset_image_bytes(data));
    memcpy(data->labels, labels, count * sizeof *labels);
    data->count = count;
    if (floats)
        TRY_GOTO(find_range(data, err));
    *out = data;
    data = NULL;
done:
    convoy_dataset_destroy(data);
    return status;
}

convoy_status convoy_dataset_create(const uint8_t *images, const int32_t *labels, size_t count, convoy_shape shape,
                                    int classes, const char *const *names, convoy_dataset **out, convoy_error *err)
{
    return create(images, false, labels, count, shape, classes, names, out, err);
}

convoy_status convoy_dataset_create_floats(const float *values, const int32_t *labels, size_t count, convoy_shape shape,
                                           int classes, const char *const *names, convoy_dataset **out, convoy_error *err)
{
    return create(values, true, labels, count, shape, classes, names, out, err);
}

convoy_status convoy_dataset_slice(const convoy_dataset *data, size_t first, size_t count, convoy_dataset **out,
                                   convoy_error *err)
{
    if (data == NULL || out == NULL)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "data set: no %s to slice",
                         data == NULL ? "images" : "place for the result");
    if (first >= data->count || count > data->count - first)
        return base_fail(err, CONVOY_ERROR_ARGUMENT,
                         "data set: a slice of %zu images from image %zu (0 means all the rest), but there are %zu "
                         "images, numbered from 0",
                         count, first, data->count);
    if (count == 0)
        count = data->count - first;
    convoy_dataset *part = NULL;
    TRY(dataset_new(data->shape, data->classes, (const char *const *)data->names, &part, err));
    part->labels = malloc(count * sizeof *part->labels);
    if (part->labels == NULL) {
        convoy_dataset_destroy(part);
        return OUT_OF_MEMORY(err);
    }
    memcpy(part->labels, data->labels + first, count * sizeof *part->labels);
    pixels_release(part->pixels);
    part->pixels = pixels_share(data->pixels);
    part->floats = data->floats;
    part->prepared = data->prepared;
    part->least = data->least;
    part->most = data->most;
    part->images = data->images + first * dataset_image_bytes(data);
    part->count = count;
    *out = part;
    return CONVOY_OK;
}

convoy_status dataset_pick(const convoy_dataset *data, const int32_t *rows, size_t count, convoy_dataset **out,
                           convoy_error *err)
{
    convoy_dataset *part = NULL;
    TRY(convoy_dataset_slice(data, 0, count, &part, err));
    int32_t *own = malloc(count * sizeof *own);
    if (own == NULL) {
        convoy_dataset_destroy(part);
        return OUT_OF_MEMORY(err);
    }
    for (size_t i = 0; i < count; i++) {
        own[i] = data->rows != NULL ? data->rows[rows[i]] : rows[i];
        part->labels[i] = data->labels[rows[i]];
    }
    part->rows = own;
    *out = part;
    return CONVOY_OK;
}

void convoy_dataset_destroy(convoy_dataset *data)
{
    if (data == NULL)
        return;
    free_names(data->names, data->classes);
    pixels_release(data->pixels);
    free(data->labels);
    free(data->rows);
    free(data->first_skipped);
    free(data);
}

void dataset_expect(const convoy_dataset *data, const int32_t *rows, size_t count)
{
    size_t bytes = dataset_image_bytes(data);
    for (size_t i = 0; i < count && data->pixels->outgrown; i++)
        pixels_expect(data->pixels, dataset_image(data, (size_t)rows[i]), bytes);
}

const uint8_t *dataset_image(const convoy_dataset *data, size_t i)
{
    return data->images + (data->rows != NULL ? (size_t)data->rows[i] : i) * dataset_image_bytes(data);
}

size_t convoy_dataset_count(const convoy_dataset *data)
{
    return data->count;
}

convoy_shape convoy_dataset_shape(const convoy_dataset *data)
{
    return data->shape;
}

int convoy_dataset_classes(const convoy_dataset *data)
{
    return data->classes;
}

const char *convoy_dataset_class_name(const convoy_dataset *data, int label)
{
    return data->names == NULL || label < 0 || label >= data->classes ? NULL : data->names[label];
}

const uint8_t *convoy_dataset_images(const convoy_dataset *data)
{
    return data->floats ? NULL : data->images;
}

const float *convoy_dataset_values(const convoy_dataset *data)
{
    return data->floats ? (const float *)(const void *)data->images : NULL;
}

bool convoy_dataset_prepared(const convoy_dataset *data)
{
    return data->prepared;
}

bool convoy_dataset_same_images(const convoy_dataset *a, const convoy_dataset *b)
{
    return a->count == b->count && a->floats == b->floats && memcmp(a->shape.dim, b->shape.dim, 3 * sizeof a->shape.dim[0]) == 0 &&
           memcmp(a->images, b->images, a->count * dataset_image_bytes(a)) == 0;
}

const int32_t *convoy_dataset_labels(const convoy_dataset *data)
{
    return data->labels;
}

size_t convoy_dataset_skipped(const convoy_dataset *data, const char **first)
{
    if (first != NULL)
        *first = data->first_skipped;
    return data->skipped;
}
