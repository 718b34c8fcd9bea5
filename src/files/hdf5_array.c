/* Arrays in an HDF5 file. Nothing in the file is believed: links may not lead out of it, and shapes must be those that are expected
 * before anything is read. libhdf5 converts whatever kind of number it finds. */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files/keras_hdf5.h"

#define MOST_DIMS 8

/* ---- what is there ---- */

/* Looks at each step of a path; only plain links count, not those that lead elsewhere. */
hdf5_presence hdf5_look(hid_t file, const char *path)
{
    char part[KERAS_PATH_SIZE];
    H5L_info_t info;
    for (const char *p = path; *p != '\0';) {
        p += strcspn(p + (*p == '/'), "/") + (*p == '/');
        snprintf(part, sizeof part, "%.*s", (int)(p - path), path);
        htri_t there = H5Lexists(file, part, H5P_DEFAULT);
        if (there == 0)
            return HDF5_ABSENT;
        if (there < 0 || H5Lget_info(file, part, &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_HARD)
            return HDF5_REFUSED;
    }
    return HDF5_PRESENT;
}

convoy_status hdf5_fail_presence(hdf5_presence found, const char *path, convoy_error *err)
{
    if (found == HDF5_ABSENT)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s is missing", path);
    return base_fail(err, CONVOY_ERROR_FORMAT, "%s is damaged, or a link to somewhere else", path);
}

convoy_status hdf5_count(hid_t file, const char *group, size_t *out, convoy_error *err)
{
    H5G_info_t info;
    char reason[HDF5_REASON_SIZE];
    hdf5_presence found = hdf5_look(file, group);
    *out = 0;
    if (found == HDF5_ABSENT)
        return CONVOY_OK;
    if (found == HDF5_REFUSED)
        return hdf5_fail_presence(found, group, err);
    hid_t id = H5Gopen2(file, group, H5P_DEFAULT);
    bool known = id >= 0 && H5Gget_info(id, &info) >= 0;
    convoy_status status = CONVOY_OK;
    if (known)
        *out = (size_t)info.nlinks;
    else
        status = base_fail(err, CONVOY_ERROR_FORMAT, "%s can't be read: %s", group, hdf5_reason(reason));
    if (id >= 0)
        H5Gclose(id);
    return status;
}

/* ---- one array ---- */

typedef struct array {
    int rank;
    hsize_t dim[MOST_DIMS];
} array;

static const char *array_text(const array *a, char out[128])
{
    int n = snprintf(out, 128, "(");
    for (int i = 0; i < a->rank && n < 100; i++)
        n += snprintf(out + n, 128 - (size_t)n, i ? ", %llu" : "%llu", (unsigned long long)a->dim[i]);
    snprintf(out + n, 128 - (size_t)n, a->rank == 1 ? ",)" : ")");
    return out;
}

static array array_of(const convoy_shape *shape)
{
    array a = {.rank = shape->rank};
    for (int i = 0; i < shape->rank; i++)
        a.dim[i] = (hsize_t)shape->dim[i];
    return a;
}

static bool same_array(const array *a, const array *b)
{
    bool same = a->rank == b->rank;
    for (int i = 0; same && i < a->rank; i++)
        same = a->dim[i] == b->dim[i];
    return same;
}

static convoy_status check_shape(hid_t data, const char *path, const array *expected, convoy_error *err)
{
    array found = {0};
    char a[128], b[128], reason[HDF5_REASON_SIZE];
    hid_t space = H5Dget_space(data);
    H5S_class_t kind = space < 0 ? H5S_NO_CLASS : H5Sget_simple_extent_type(space);
    int rank = kind == H5S_SIMPLE ? H5Sget_simple_extent_ndims(space) : kind == H5S_SCALAR ? 0 : -1;
    if (rank > 0 && rank <= MOST_DIMS)
        H5Sget_simple_extent_dims(space, found.dim, NULL);
    if (space >= 0)
        H5Sclose(space);
    if (rank < 0)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s has no shape: %s", path, hdf5_reason(reason));
    if (rank > MOST_DIMS)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s has %d dimensions; the model needs %s", path, rank,
                         array_text(expected, a));
    found.rank = rank;
    if (!same_array(&found, expected))
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s has the shape %s; the model needs %s", path,
                         array_text(&found, a), array_text(expected, b));
    return CONVOY_OK;
}

static convoy_status check_kind(hid_t data, const char *path, convoy_error *err)
{
    hid_t type = H5Dget_type(data);
    H5T_class_t kind = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    size_t bytes = type < 0 ? 0 : H5Tget_size(type);
    if (type >= 0)
        H5Tclose(type);
    if ((kind == H5T_FLOAT || kind == H5T_INTEGER) && bytes <= 8)
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_FORMAT, "%s holds no plain numbers; expected float16, float32 or float64", path);
}

/* The data must be in the file itself, and a compressed piece no larger than the whole. */
static convoy_status check_storage(hid_t data, const char *path, const array *expected, convoy_error *err)
{
    hsize_t chunk[MOST_DIMS], whole = 1, piece = 1;
    hid_t list = H5Dget_create_plist(data);
    H5D_layout_t layout = list < 0 ? H5D_LAYOUT_ERROR : H5Pget_layout(list);
    bool inside = list >= 0 && H5Pget_external_count(list) == 0 &&
                  (layout == H5D_COMPACT || layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED);
    if (inside && layout == H5D_CHUNKED) {
        inside = H5Pget_chunk(list, MOST_DIMS, chunk) == expected->rank;
        for (int i = 0; inside && i < expected->rank; i++) {
            inside = !__builtin_mul_overflow(piece, chunk[i], &piece);
            whole *= expected->dim[i];
        }
        inside = inside && piece / 16 <= whole + ((hsize_t)1 << 16); /* a resizable array may have larger chunks */
    }
    if (list >= 0)
        H5Pclose(list);
    if (!inside)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s is stored in a way that is not read: outside the file, virtual, "
                         "or in absurdly large chunks", path);
    return CONVOY_OK;
}

convoy_status hdf5_read_array(hid_t file, const char *path, const convoy_shape *shape, hid_t memory, void *out,
                              convoy_error *err)
{
    array expected = array_of(shape);
    char reason[HDF5_REASON_SIZE];
    hdf5_presence found = hdf5_look(file, path);
    if (found != HDF5_PRESENT)
        return hdf5_fail_presence(found, path, err);
    hid_t data = H5Dopen2(file, path, H5P_DEFAULT);
    if (data < 0)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s is not an array: %s", path, hdf5_reason(reason));
    convoy_status status = CONVOY_OK;
    TRY_GOTO(check_shape(data, path, &expected, err));
    TRY_GOTO(check_kind(data, path, err));
    TRY_GOTO(check_storage(data, path, &expected, err));
    if (H5Dread(data, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
        status = base_fail(err, CONVOY_ERROR_FORMAT, "%s can't be read: %s", path, hdf5_reason(reason));
done:
    H5Dclose(data);
    return status;
}

static bool space_shape(hid_t space, convoy_shape *out)
{
    hsize_t dim[CONVOY_MAX_RANK];
    H5S_class_t kind = H5Sget_simple_extent_type(space);
    int rank = kind == H5S_SCALAR ? 0 : kind == H5S_SIMPLE ? H5Sget_simple_extent_ndims(space) : -1;
    if (rank < 0 || rank > CONVOY_MAX_RANK || (rank > 0 && H5Sget_simple_extent_dims(space, dim, NULL) < 0))
        return false;
    *out = (convoy_shape){.rank = rank};
    for (int i = 0; i < rank; i++) {
        if (dim[i] > INT_MAX)
            return false;
        out->dim[i] = (int)dim[i];
    }
    return true;
}

bool hdf5_shape(hid_t file, const char *path, convoy_shape *out)
{
    if (hdf5_look(file, path) != HDF5_PRESENT)
        return false;
    hid_t data = H5Dopen2(file, path, H5P_DEFAULT), space = data < 0 ? -1 : H5Dget_space(data);
    bool known = space >= 0 && space_shape(space, out);
    if (space >= 0)
        H5Sclose(space);
    if (data >= 0)
        H5Dclose(data);
    return known;
}

bool hdf5_is_scalar(hid_t file, const char *path)
{
    convoy_shape shape;
    return hdf5_shape(file, path, &shape) && shape.rank == 0;
}
