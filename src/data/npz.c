/* A .npz file with x_train, y_train, x_test and y_test, as Keras's own mnist.npz has them: a zip archive of .npy files. npz_none.c
 * stands in where libzip is missing. */
#include <stdlib.h>
#include <string.h>

#include "data/data.h"
#include "data/npy.h"
#include "data/npz_values.h"

typedef struct member {
    char *text;
    npy array;
} member;

static convoy_status load(zip_archive *archive, const char *name, member *out, convoy_error *err)
{
    size_t size = 0;
    TRY(zip_archive_read(archive, name, NPZ_MEMBER_LIMIT, &out->text, &size, err));
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
static convoy_status count_classes(zip_archive *archive, const char *other_name, const char *name, const npy *labels,
                                   int *out, convoy_error *err)
{
    double highest = 0;
    TRY(check_labels(name, labels, &highest, err));
    if (zip_archive_has(archive, other_name)) {
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
    if (!fits)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s is %s; images (N, H, W, C) or (N, H, W) are expected", name,
                         npy_text(images, text, sizeof text));
    *out = (convoy_shape){3, {(int)images->dim[1], (int)images->dim[2], images->rank == 4 ? (int)images->dim[3] : 1}};
    return CONVOY_OK;
}

/* ---- the two together ---- */

typedef struct part {
    const char *x, *y, *other_x, *other_y; /* members of the archive: this part's and the other's */
} part;

static const part parts[] = {
    {"x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy"},
    {"x_test.npy", "y_test.npy", "x_train.npy", "y_train.npy"},
};

static convoy_status fill(const data_request *request, zip_archive *archive, const part *p, npz_values *x, const member *y,
                          convoy_dataset **out, convoy_error *err)
{
    convoy_shape shape;
    npz_guess guess;
    int classes;
    TRY(image_shape(p->x, &x->array, &shape, err));
    TRY(count_classes(archive, p->other_y, p->y, &y->array, &classes, err));
    size_t count = x->array.dim[0];
    if (y->array.dim[0] != count)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s has %zu images, but %s has %zu labels", p->x, count, p->y, y->array.dim[0]);
    TRY(npz_guess_images(archive, p->x, p->other_x, request->options, &guess, err));
    TRY(dataset_new(shape, classes, NULL, out, err));
    (*out)->floats = guess.floats;
    (*out)->prepared = guess.prepared;
    (*out)->least = (float)guess.least;
    (*out)->most = (float)guess.most;
    TRY(dataset_reserve(*out, count, err));
    TRY(npz_read_images(x, *out, err));
    for (size_t i = 0; i < count; i++)
        (*out)->labels[i] = (int32_t)npy_value(&y->array, i);
    (*out)->count = count;
    return CONVOY_OK;
}

/* Says what is there, what is not, and what would do. */
static convoy_status check_members(const data_request *request, zip_archive *archive, const part *p, convoy_error *err)
{
    char *held = NULL;
    bool x = zip_archive_has(archive, p->x), y = zip_archive_has(archive, p->y), other = zip_archive_has(archive, p->other_x);
    if (x && y)
        return CONVOY_OK;
    TRY(zip_archive_list(archive, &held, err));
    if (x || y)
        base_fail(err, CONVOY_ERROR_FORMAT, "%s is there, but %s is missing: images and labels go together; the file holds %s",
                  x ? p->x : p->y, x ? p->y : p->x, held);
    else if (other)
        base_fail(err, CONVOY_ERROR_NO_PART, "no %s part: the file holds %s; add %s and %s, or use its %s part",
                  request->test ? "test" : "train", held, p->x, p->y, request->test ? "train" : "test");
    else
        base_fail(err, CONVOY_ERROR_FORMAT, "the file holds %s; %s and %s are expected, images and their labels", held, p->x, p->y);
    free(held);
    return x || y || !other ? CONVOY_ERROR_FORMAT : CONVOY_ERROR_NO_PART;
}

static convoy_status read_part(const data_request *request, zip_archive *archive, convoy_dataset **out, convoy_error *err)
{
    const part *p = &parts[request->test];
    npz_values x = {0};
    member y = {0};
    TRY(check_members(request, archive, p, err));
    convoy_status status = npz_values_open(archive, p->x, &x, err);
    if (status == CONVOY_OK)
        status = load(archive, p->y, &y, err);
    if (status == CONVOY_OK)
        status = fill(request, archive, p, &x, &y, out, err);
    npz_values_close(&x);
    free(y.text);
    return status;
}

convoy_status npz_read(const data_request *request, convoy_dataset **out, const char **listed, convoy_error *err)
{
    zip_archive *archive = NULL;
    *listed = parts[request->test].x;
    convoy_status status = zip_archive_open(request->path, "an .npz", &archive, err);
    if (status == CONVOY_OK)
        status = read_part(request, archive, out, err);
    zip_archive_close(archive);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "%s", request->path);
}
