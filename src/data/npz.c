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

#define MEMBER_LIMIT ((size_t)1 << 42)

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

/* ---- images: piece by piece, as memory may not hold all of them ---- */

#define PIECE ((size_t)16384) /* values */

typedef struct values {
    keras_stream *stream;
    uint8_t *head;   /* the member's first bytes; its values go on in the stream */
    size_t at, held; /* where in `head` the next values are, and where it ends */
    npy array;       /* without data */
} values;

static void close_values(values *v)
{
    keras_stream_close(v->stream);
    free(v->head);
    *v = (values){0};
}

static convoy_status open_values(keras_archive *archive, const char *name, values *out, convoy_error *err)
{
    size_t size = 0;
    close_values(out);
    TRY(keras_stream_open(archive, name, MEMBER_LIMIT, &out->stream, &size, err));
    out->held = size < NPY_HEAD ? size : NPY_HEAD;
    out->head = malloc(out->held + 1);
    if (out->head == NULL)
        return OUT_OF_MEMORY(err);
    TRY(keras_stream_read(out->stream, out->head, out->held, err));
    convoy_status status = npy_parse_head(out->head, out->held, size, &out->array, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "%s", name);
    out->at = (size_t)(out->array.data - out->head);
    return CONVOY_OK;
}

static convoy_status next_bytes(values *v, uint8_t *out, size_t size, convoy_error *err)
{
    size_t ready = v->held - v->at < size ? v->held - v->at : size;
    memcpy(out, v->head + v->at, ready);
    v->at += ready;
    return ready < size ? keras_stream_read(v->stream, out + ready, size - ready, err) : CONVOY_OK;
}

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

/* What is done with a piece of the values: `first` is the number of its first one. */
typedef convoy_status visit(void *user, const npy *piece, size_t first, size_t count, convoy_error *err);

static convoy_status visit_all(values *v, visit *take, void *user, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    npy piece = v->array;
    uint8_t *bytes = malloc(PIECE * (size_t)piece.bytes);
    if (bytes == NULL)
        return OUT_OF_MEMORY(err);
    piece.data = bytes;
    for (size_t i = 0; i < piece.count && status == CONVOY_OK; i += PIECE) {
        size_t count = piece.count - i < PIECE ? piece.count - i : PIECE;
        status = next_bytes(v, bytes, count * (size_t)piece.bytes, err);
        if (status == CONVOY_OK)
            status = take(user, &piece, i, count, err);
    }
    free(bytes);
    return status;
}

/* Of floats, which go to bytes. */
typedef struct floats {
    const char *name;
    double most, scale;
    uint8_t *out;
} floats;

static convoy_status find_most(void *user, const npy *piece, size_t first, size_t count, convoy_error *err)
{
    floats *f = user;
    for (size_t i = 0; i < count; i++) {
        double value = npy_value(piece, i);
        if (!(value >= 0 && value <= 255))
            return base_fail(err, CONVOY_ERROR_FORMAT,
                             "%s: value %zu is %g; floats within 0 and 1 or within 0 and 255 are expected", f->name,
                             first + i, value);
        if (value > f->most)
            f->most = value;
    }
    return CONVOY_OK;
}

static convoy_status to_bytes(void *user, const npy *piece, size_t first, size_t count, convoy_error *err)
{
    const floats *f = user;
    (void)err;
    for (size_t i = 0; i < count; i++)
        f->out[first + i] = (uint8_t)lrint(npy_value(piece, i) * f->scale);
    return CONVOY_OK;
}

/* Floats are read twice: those that all lie within 0 .. 1 were divided by 255 before. */
static convoy_status read_pixels(keras_archive *archive, const char *name, values *v, uint8_t *out, convoy_error *err)
{
    floats f = {.name = name, .out = out};
    if (v->array.kind == 'u')
        return next_bytes(v, out, v->array.count, err);
    TRY(visit_all(v, find_most, &f, err));
    f.scale = f.most <= 1 ? 255 : 1;
    TRY(open_values(archive, name, v, err));
    return visit_all(v, to_bytes, &f, err);
}

/* ---- the two together ---- */

static convoy_status fill(keras_archive *archive, bool test, values *x, const member *y, convoy_dataset **out,
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
    TRY(read_pixels(archive, x_name, x, (*out)->images, err));
    for (size_t i = 0; i < count; i++)
        (*out)->labels[i] = (int32_t)npy_value(&y->array, i);
    (*out)->count = count;
    return CONVOY_OK;
}

static convoy_status read_part(keras_archive *archive, bool test, convoy_dataset **out, convoy_error *err)
{
    values x = {0};
    member y = {0};
    convoy_status status = open_values(archive, test ? "x_test.npy" : "x_train.npy", &x, err);
    if (status == CONVOY_OK)
        status = load(archive, test ? "y_test.npy" : "y_train.npy", &y, err);
    if (status == CONVOY_OK)
        status = fill(archive, test, &x, &y, out, err);
    close_values(&x);
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
