/* Texts in the attributes of an HDF5 file: h5py has written them with fixed and with variable length, in one's and in many's. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files/keras_hdf5.h"

#define MOST_TEXT ((size_t)64 << 20) /* bytes of one attribute */
#define MOST_NAMES ((size_t)1 << 20)
#define MOST_PIECES 10000            /* of a list that was cut */

/* An open attribute and what it holds. */
typedef struct attribute {
    hid_t id, type, space;
    const char *name;
    size_t count, size; /* texts; bytes of each, when the length is fixed */
    bool variable;
} attribute;

static void close_attribute(attribute *a)
{
    if (a->space >= 0)
        H5Sclose(a->space);
    if (a->type >= 0)
        H5Tclose(a->type);
    if (a->id >= 0)
        H5Aclose(a->id);
}

static convoy_status open_attribute(hid_t file, const char *path, const char *name, attribute *out, convoy_error *err)
{
    char reason[HDF5_REASON_SIZE];
    *out = (attribute){.id = H5Aopen_by_name(file, path, name, H5P_DEFAULT, H5P_DEFAULT), .type = -1, .space = -1, .name = name};
    if (out->id >= 0) {
        out->type = H5Aget_type(out->id);
        out->space = H5Aget_space(out->id);
    }
    hssize_t count = out->space < 0 ? -1 : H5Sget_simple_extent_npoints(out->space);
    if (out->type < 0 || count < 0) {
        base_fail(err, CONVOY_ERROR_FORMAT, "attribute %s can't be read: %s", name, hdf5_reason(reason));
        close_attribute(out);
        return CONVOY_ERROR_FORMAT;
    }
    out->count = (size_t)count;
    out->size = H5Tget_size(out->type);
    out->variable = H5Tis_variable_str(out->type) > 0;
    return CONVOY_OK;
}

static convoy_status check_texts(const attribute *a, convoy_error *err)
{
    size_t bytes;
    if (H5Tget_class(a->type) != H5T_STRING)
        return base_fail(err, CONVOY_ERROR_FORMAT, "attribute %s holds no text", a->name);
    if (a->count > MOST_NAMES || __builtin_mul_overflow(a->count, a->size, &bytes) || bytes > MOST_TEXT)
        return base_fail(err, CONVOY_ERROR_FORMAT, "attribute %s holds %zu texts, %zu bytes each; that is absurdly much",
                         a->name, a->count, a->size);
    return CONVOY_OK;
}

static char *copy_text(const char *text, size_t most)
{
    return text == NULL ? strdup("") : strndup(text, most);
}

static convoy_status fail_read(const attribute *a, convoy_error *err)
{
    char reason[HDF5_REASON_SIZE];
    return base_fail(err, CONVOY_ERROR_FORMAT, "attribute %s can't be read: %s", a->name, hdf5_reason(reason));
}

static convoy_status read_variable(const attribute *a, char **out, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    char **texts = calloc(a->count, sizeof *texts);
    hid_t memory = H5Tcopy(H5T_C_S1);
    if (texts == NULL || memory < 0)
        TRY_GOTO(OUT_OF_MEMORY(err));
    H5Tset_size(memory, H5T_VARIABLE);
    H5Tset_cset(memory, H5Tget_cset(a->type));
    if (H5Aread(a->id, memory, texts) < 0)
        TRY_GOTO(fail_read(a, err));
    for (size_t i = 0; i < a->count; i++)
        out[i] = copy_text(texts[i], MOST_TEXT);
    H5Dvlen_reclaim(memory, a->space, H5P_DEFAULT, texts);
done:
    if (memory >= 0)
        H5Tclose(memory);
    free(texts);
    return status;
}

static convoy_status read_fixed(const attribute *a, char **out, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    char *bytes = malloc(a->count * a->size + 1);
    if (bytes == NULL)
        return OUT_OF_MEMORY(err);
    if (H5Aread(a->id, a->type, bytes) < 0)
        status = fail_read(a, err);
    for (size_t i = 0; i < a->count && status == CONVOY_OK; i++)
        out[i] = copy_text(bytes + i * a->size, a->size);
    free(bytes);
    return status;
}

/* Appends the texts of an attribute. */
static convoy_status append_texts(const attribute *a, hdf5_names *names, convoy_error *err)
{
    if (a->count == 0)
        return CONVOY_OK;
    TRY(check_texts(a, err));
    if (names->count + a->count > MOST_NAMES)
        return base_fail(err, CONVOY_ERROR_FORMAT, "attribute %s: more than %zu names", a->name, MOST_NAMES);
    char **more = realloc(names->name, (names->count + a->count) * sizeof *more);
    if (more == NULL)
        return OUT_OF_MEMORY(err);
    names->name = more;
    memset(more + names->count, 0, a->count * sizeof *more);
    size_t first = names->count;
    names->count += a->count;
    TRY(a->variable ? read_variable(a, more + first, err) : read_fixed(a, more + first, err));
    for (size_t i = first; i < names->count; i++)
        if (more[i] == NULL)
            return OUT_OF_MEMORY(err);
    return CONVOY_OK;
}

static convoy_status read_attribute(hid_t file, const char *path, const char *name, hdf5_names *names, convoy_error *err)
{
    attribute a;
    TRY(open_attribute(file, path, name, &a, err));
    convoy_status status = append_texts(&a, names, err);
    close_attribute(&a);
    return status;
}

/* ---- what others call ---- */

bool hdf5_has_attribute(hid_t file, const char *path, const char *attribute)
{
    return H5Aexists_by_name(file, path, attribute, H5P_DEFAULT) > 0;
}

/* The same where it matters that it can't be known. */
static convoy_status look_for(hid_t file, const char *path, const char *attribute, bool *there, convoy_error *err)
{
    char reason[HDF5_REASON_SIZE];
    htri_t found = H5Aexists_by_name(file, path, attribute, H5P_DEFAULT);
    *there = found > 0;
    if (found < 0)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s is damaged: %s", path, hdf5_reason(reason));
    return CONVOY_OK;
}

/* Names go into paths and messages. */
static convoy_status check_names(const hdf5_names *names, const char *attribute, convoy_error *err)
{
    for (size_t i = 0; i < names->count; i++)
        for (const char *c = names->name[i]; *c != '\0'; c++)
            if ((unsigned char)*c < 0x20 || *c == 0x7f)
                return base_fail(err, CONVOY_ERROR_FORMAT, "attribute %s: name %zu holds the control character 0x%02x", attribute,
                                 i, (unsigned)*c);
    return CONVOY_OK;
}

convoy_status hdf5_read_text(hid_t file, const char *path, const char *attribute, char **out, convoy_error *err)
{
    hdf5_names names = {0};
    bool there = false;
    *out = NULL;
    TRY(look_for(file, path, attribute, &there, err));
    if (!there)
        return CONVOY_OK;
    convoy_status status = read_attribute(file, path, attribute, &names, err);
    if (status == CONVOY_OK && names.count != 1)
        status = base_fail(err, CONVOY_ERROR_FORMAT, "attribute %s holds %zu texts; expected one", attribute, names.count);
    if (status == CONVOY_OK) {
        *out = names.name[0];
        names.name[0] = NULL;
    }
    hdf5_names_free(&names);
    return status;
}

static convoy_status read_pieces(hid_t file, const char *path, const char *attribute, hdf5_names *out, convoy_error *err)
{
    char piece[64];
    bool there = true;
    for (int i = 0; there && i < MOST_PIECES; i++) {
        snprintf(piece, sizeof piece, "%s%d", attribute, i);
        TRY(look_for(file, path, piece, &there, err));
        if (there)
            TRY(read_attribute(file, path, piece, out, err));
        else if (i == 0)
            return base_fail(err, CONVOY_ERROR_FORMAT, "%s has no attribute %s", path, attribute);
    }
    return CONVOY_OK;
}

convoy_status hdf5_read_names(hid_t file, const char *path, const char *attribute, hdf5_names *out, convoy_error *err)
{
    bool whole = false;
    *out = (hdf5_names){0};
    convoy_status status = look_for(file, path, attribute, &whole, err);
    if (status == CONVOY_OK)
        status = whole ? read_attribute(file, path, attribute, out, err) : read_pieces(file, path, attribute, out, err);
    if (status == CONVOY_OK)
        status = check_names(out, attribute, err);
    if (status != CONVOY_OK)
        hdf5_names_free(out);
    return status;
}

void hdf5_names_free(hdf5_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->name[i]);
    free(names->name);
    *names = (hdf5_names){0};
}
