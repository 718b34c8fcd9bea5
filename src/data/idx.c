/* IDX, the form of MNIST and its relatives: a big-endian header (0, 0, type, rank, dimensions), then the values. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "data/data.h"
#include "data/gunzip.h"

#define UBYTE 0x08

static const char *const stems[2] = {"train", "t10k"};
/* As they are published, and as they are often renamed on unpacking. */
static const char *const image_endings[] = {"-images-idx3-ubyte", "-images-idx3-ubyte.gz", "-images.idx3-ubyte", NULL};
static const char *const label_endings[] = {"-labels-idx1-ubyte", "-labels-idx1-ubyte.gz", "-labels.idx1-ubyte", NULL};

/* The first that is there goes to `out`. */
static bool find(const char *folder, bool test, const char *const *endings, char out[PATH_MAX])
{
    char name[64];
    for (; *endings != NULL; endings++) {
        strcpy(name, stems[test]);
        strcat(name, *endings);
        if (folder_holds(folder, name))
            return folder_join(out, folder, name, NULL) == CONVOY_OK;
    }
    return false;
}

bool idx_fits(const data_request *request)
{
    char path[PATH_MAX];
    return request->is_folder &&
           (find(request->path, false, image_endings, path) || find(request->path, true, image_endings, path));
}

static const char *type_name(int type)
{
    switch (type) {
    case UBYTE: return "unsigned bytes";
    case 0x09: return "signed bytes";
    case 0x0b: return "int16";
    case 0x0c: return "int32";
    case 0x0d: return "float32";
    case 0x0e: return "float64";
    default: return "of an unknown type";
    }
}

typedef struct idx_file {
    char *text;
    const uint8_t *values;
    size_t dim[3];
} idx_file;

static convoy_status check(const char *path, const uint8_t *bytes, size_t size, size_t rank, idx_file *out,
                           convoy_error *err)
{
    size_t count = 1, header = 4 + 4 * rank;
    if (size < 4 || bytes[0] != 0 || bytes[1] != 0)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: not an IDX file: it does not begin with two zero bytes", path);
    if (bytes[2] != UBYTE || bytes[3] != rank)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: values %s with %d dimensions; unsigned bytes with %zu are expected",
                         path, type_name(bytes[2]), bytes[3], rank);
    if (size < header)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: truncated: %zu bytes, and the header has %zu", path, size, header);
    for (size_t i = 0; i < rank; i++) {
        const uint8_t *at = bytes + 4 + 4 * i;
        out->dim[i] = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
        if (__builtin_mul_overflow(count, out->dim[i], &count))
            return base_fail(err, CONVOY_ERROR_FORMAT, "%s: damaged: its dimensions are too large", path);
    }
    if (size - header != count)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: %s: %zu values are there, and %zu are announced", path,
                         size - header < count ? "truncated" : "damaged", size - header, count);
    out->values = bytes + header;
    return CONVOY_OK;
}

static convoy_status load(const char *path, size_t rank, idx_file *out, convoy_error *err)
{
    size_t size = 0;
    *out = (idx_file){0};
    TRY(gunzip_read(path, DATA_FILE_LIMIT, &out->text, &size, err));
    convoy_status status = check(path, (const uint8_t *)out->text, size, rank, out, err);
    if (status != CONVOY_OK) {
        free(out->text);
        out->text = NULL;
    }
    return status;
}

static int highest(const idx_file *labels)
{
    int most = 0;
    for (size_t i = 0; i < labels->dim[0]; i++)
        if (labels->values[i] > most)
            most = labels->values[i];
    return most;
}

/* The other part may have a class that this one lacks; both must agree on how many there are. */
static convoy_status count_classes(const data_request *request, const idx_file *labels, int *out, convoy_error *err)
{
    char path[PATH_MAX];
    idx_file other;
    *out = highest(labels) + 1;
    if (!find(request->path, !request->test, label_endings, path))
        return CONVOY_OK;
    TRY(load(path, 1, &other, err));
    if (highest(&other) + 1 > *out)
        *out = highest(&other) + 1;
    free(other.text);
    return CONVOY_OK;
}

static convoy_status fill(const data_request *request, const char *path, const idx_file *images, const idx_file *labels,
                          convoy_dataset **out, convoy_error *err)
{
    int classes;
    size_t count = images->dim[0];
    if (labels->dim[0] != count || count == 0)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: %zu images, but %zu labels", path, count, labels->dim[0]);
    if (images->dim[1] > INT_MAX || images->dim[2] > INT_MAX)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: damaged: images of %zu x %zu", path, images->dim[1],
                         images->dim[2]);
    TRY(count_classes(request, labels, &classes, err));
    convoy_shape shape = {3, {(int)images->dim[1], (int)images->dim[2], 1}};
    convoy_status status = dataset_new(shape, classes, NULL, out, err);
    if (status == CONVOY_OK)
        status = dataset_reserve(*out, count, err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "%s", path);
    memcpy((*out)->images, images->values, count * dataset_image_bytes(*out));
    for (size_t i = 0; i < count; i++)
        (*out)->labels[i] = labels->values[i];
    (*out)->count = count;
    return CONVOY_OK;
}

convoy_status idx_read(const data_request *request, convoy_dataset **out, const char **listed, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    char images_path[PATH_MAX], labels_path[PATH_MAX];
    idx_file images = {0}, labels = {0};
    *listed = request->test ? "t10k-images-idx3-ubyte" : "train-images-idx3-ubyte";
    if (!find(request->path, request->test, image_endings, images_path))
        return dataset_new((convoy_shape){3, {1, 1, 1}}, 1, NULL, out, err);
    if (!find(request->path, request->test, label_endings, labels_path))
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: %s%s is missing beside it", images_path, stems[request->test],
                         label_endings[0]);
    TRY_GOTO(load(images_path, 3, &images, err));
    TRY_GOTO(load(labels_path, 1, &labels, err));
    TRY_GOTO(fill(request, images_path, &images, &labels, out, err));
done:
    free(images.text);
    free(labels.text);
    return status;
}
