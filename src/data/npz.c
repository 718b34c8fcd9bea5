/* A .npz file with x_train, y_train, x_test and y_test, as Keras's own mnist.npz has them: a zip archive of .npy files. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "data/data.h"
#include "data/npy.h"

bool npz_fits(const data_request *request)
{
    return !request->is_folder && memcmp(request->head, "PK\3\4", 4) == 0;
}

#ifdef HAVE_KERAS_FILES
#include "model/keras_file.h" /* its archive is any zip archive */

#define MEMBER_LIMIT ((size_t)1 << 34)

typedef struct member {
    char *text;
    npy array;
} member;

static convoy_status load(keras_archive *archive, const char *name, member *out, convoy_error *err)
{
    size_t size = 0;
    TRY(keras_archive_read(archive, name, MEMBER_LIMIT, &out->text, &size, err));
    convoy_status status = npy_parse((const uint8_t *)out->text, size, &out->array, err);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "%s", name);
}

/* ---- labels ---- */

static convoy_status check_labels(const char *name, const npy *labels, double *highest, convoy_error *err)
{
    char text[200];
    bool is_list = labels->rank == 1 || (labels->rank == 2 && labels->dim[1] == 1);
    if (!is_list || labels->kind == 'f' || labels->count == 0)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s is %s; integers (N,) or (N, 1) are expected", name,
                         npy_text(labels, text, sizeof text));
    for (size_t i = 0; i < labels->count; i++) {
        double label = npy_value(labels, i);
        if (label < 0 || label >= INT32_MAX)
            return base_fail(err, CONVOY_ERROR_FORMAT, "%s: label %zu is %.0f; classes are numbered from 0", name, i,
                             label);
        if (label > *highest)
            *highest = label;
    }
    return CONVOY_OK;
}

/* Also of the other part, which may have a class that this one lacks. */
static convoy_status count_classes(keras_archive *archive, const char *other_name, const char *name, const npy *labels,
                                   int *out, convoy_error *err)
{
    double highest = 0;
    TRY(check_labels(name, labels, &highest, err));
    if (keras_archive_has(archive, other_name)) {
        member other = {0};
        convoy_status status = load(archive, other_name, &other, err);
        if (status == CONVOY_OK)
            status = check_labels(other_name, &other.array, &highest, err);
        free(other.text);
        TRY(status);
    }
    *out = (int)highest + 1;
    return CONVOY_OK;
}

/* ---- images ---- */

static convoy_status image_shape(const char *name, const npy *images, convoy_shape *out, convoy_error *err)
{
    char text[200];
    bool fits = (images->rank == 3 || images->rank == 4) && images->count > 0;
    for (int i = 1; fits && i < images->rank; i++)
        fits = images->dim[i] <= INT32_MAX;
    if (!fits || (images->kind != 'f' && !(images->kind == 'u' && images->bytes == 1)))
        return base_fail(err, CONVOY_ERROR_FORMAT,
                         "%s is %s; images (N, H, W, C) or (N, H, W) of uint8 or float32 are expected", name,
                         npy_text(images, text, sizeof text));
    *out = (convoy_shape){3, {(int)images->dim[1], (int)images->dim[2], images->rank == 4 ? (int)images->dim[3] : 1}};
    return CONVOY_OK;
}

/* What floats are multiplied by: those within 0 .. 1 were divided by 255 before. */
static convoy_status find_scale(const char *name, const npy *images, double *out, convoy_error *err)
{
    double most = 0;
    for (size_t i = 0; i < images->count; i++) {
        double value = npy_value(images, i);
        if (!(value >= 0 && value <= 255))
            return base_fail(err, CONVOY_ERROR_FORMAT,
                             "%s: value %zu is %g; floats within 0 and 1 or within 0 and 255 are expected", name, i, value);
        if (value > most)
            most = value;
    }
    *out = most <= 1 ? 255 : 1;
    return CONVOY_OK;
}

static convoy_status copy_pixels(const char *name, const npy *images, uint8_t *out, convoy_error *err)
{
    double scale = 1;
    if (images->kind == 'u') {
        memcpy(out, images->data, images->count);
        return CONVOY_OK;
    }
    TRY(find_scale(name, images, &scale, err));
    for (size_t i = 0; i < images->count; i++)
        out[i] = (uint8_t)lrint(npy_value(images, i) * scale);
    return CONVOY_OK;
}

/* ---- the two together ---- */

static convoy_status fill(keras_archive *archive, bool test, const member *x, const member *y, convoy_dataset **out,
                          convoy_error *err)
{
    const char *x_name = test ? "x_test.npy" : "x_train.npy", *y_name = test ? "y_test.npy" : "y_train.npy";
    convoy_shape shape;
    int classes;
    TRY(image_shape(x_name, &x->array, &shape, err));
    TRY(count_classes(archive, test ? "y_train.npy" : "y_test.npy", y_name, &y->array, &classes, err));
    size_t count = x->array.dim[0];
    if (y->array.dim[0] != count)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s has %zu images, but %s has %zu labels", x_name, count, y_name,
                         y->array.dim[0]);
    TRY(dataset_new(shape, classes, NULL, out, err));
    TRY(dataset_reserve(*out, count, err));
    TRY(copy_pixels(x_name, &x->array, (*out)->images, err));
    for (size_t i = 0; i < count; i++)
        (*out)->labels[i] = (int32_t)npy_value(&y->array, i);
    (*out)->count = count;
    return CONVOY_OK;
}

static convoy_status read_part(keras_archive *archive, bool test, convoy_dataset **out, convoy_error *err)
{
    member x = {0}, y = {0};
    convoy_status status = load(archive, test ? "x_test.npy" : "x_train.npy", &x, err);
    if (status == CONVOY_OK)
        status = load(archive, test ? "y_test.npy" : "y_train.npy", &y, err);
    if (status == CONVOY_OK)
        status = fill(archive, test, &x, &y, out, err);
    free(x.text);
    free(y.text);
    return status;
}

convoy_status npz_read(const data_request *request, convoy_dataset **out, const char **listed, convoy_error *err)
{
    keras_archive *archive = NULL;
    *listed = request->test ? "x_test.npy" : "x_train.npy";
    convoy_status status = keras_archive_open(request->path, "an .npz", &archive, err);
    if (status == CONVOY_OK)
        status = read_part(archive, request->test, out, err);
    keras_archive_close(archive);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "%s", request->path);
}

#else

convoy_status npz_read(const data_request *request, convoy_dataset **out, const char **listed, convoy_error *err)
{
    (void)out, (void)listed;
    return base_fail(err, CONVOY_ERROR_UNSUPPORTED,
                     "%s: .npz files need libzip, which this build lacks; install libzip-dev and libhdf5-dev (as Debian "
                     "calls them) and build again",
                     request->path);
}

#endif
