#include "files/keras_hdf5.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

#define GROWTH ((size_t)1 << 20) /* bytes by which a file in memory grows */

/* The innermost record of the error stack is the first one walked upward. */
static herr_t take_first(unsigned n, const H5E_error2_t *record, void *user)
{
    if (n == 0 && record->desc != NULL)
        text_copy(user, HDF5_REASON_SIZE, record->desc);
    return 0;
}

const char *hdf5_reason(char out[HDF5_REASON_SIZE])
{
    text_copy(out, HDF5_REASON_SIZE, "no reason given");
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, out);
    return out;
}

static void be_quiet(hdf5_file *file)
{
    file->hook = NULL;
    file->hook_data = NULL;
    H5Eget_auto2(H5E_DEFAULT, &file->hook, &file->hook_data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static void be_as_before(const hdf5_file *file)
{
    H5Eset_auto2(H5E_DEFAULT, file->hook, file->hook_data);
}

/* Access to memory alone; closing such a file closes all that was opened in it. */
static hid_t memory_access(void)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access >= 0 &&
        (H5Pset_fapl_core(access, GROWTH, 0) < 0 || H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0)) {
        H5Pclose(access);
        return -1;
    }
    return access;
}

/* libhdf5 wants a name that no file on disk has, and that no other open file has. */
static void memory_name(const void *unique, char *out, size_t size)
{
    snprintf(out, size, "/dev/null/%p.h5", unique);
}

convoy_status hdf5_open_image(const char *data, size_t size, hdf5_file *out, convoy_error *err)
{
    char name[64], reason[HDF5_REASON_SIZE];
    memory_name(data, name, sizeof name);
    be_quiet(out);
    hid_t access = memory_access();
    out->id = -1;
    if (access >= 0 && size > 0 && H5Pset_file_image(access, (void *)data, size) >= 0)
        out->id = H5Fopen(name, H5F_ACC_RDONLY, access);
    if (out->id < 0) {
        base_fail(err, CONVOY_ERROR_FORMAT, "damaged, or not an HDF5 file: %s",
                  size ? hdf5_reason(reason) : "it is empty");
        be_as_before(out);
    }
    if (access >= 0)
        H5Pclose(access);
    return out->id < 0 ? CONVOY_ERROR_FORMAT : CONVOY_OK;
}

convoy_status hdf5_open_path(const char *path, hdf5_file *out, convoy_error *err)
{
    char reason[HDF5_REASON_SIZE];
    be_quiet(out);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    out->id = -1;
    if (access >= 0 && H5Pset_fapl_sec2(access) >= 0 && H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0)
        out->id = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (out->id < 0) {
        base_fail(err, CONVOY_ERROR_FORMAT, "damaged or truncated, or not an HDF5 (.h5) file: %s", hdf5_reason(reason));
        be_as_before(out);
    }
    if (access >= 0)
        H5Pclose(access);
    return out->id < 0 ? CONVOY_ERROR_FORMAT : CONVOY_OK;
}

convoy_status hdf5_create(hdf5_file *out, convoy_error *err)
{
    char name[64], reason[HDF5_REASON_SIZE];
    memory_name(out, name, sizeof name);
    be_quiet(out);
    hid_t access = memory_access();
    /* HDF5 2 writes a later form unless told not to, in which each group has its time: the same model shall be the same bytes. */
    bool told = access >= 0 && H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST) >= 0;
    out->id = told ? H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, access) : -1;
    if (out->id < 0) {
        base_fail(err, CONVOY_ERROR_MEMORY, "libhdf5 can't make a file in memory: %s", hdf5_reason(reason));
        be_as_before(out);
    }
    if (access >= 0)
        H5Pclose(access);
    return out->id < 0 ? CONVOY_ERROR_MEMORY : CONVOY_OK;
}

convoy_status hdf5_take_image(const hdf5_file *file, char **out, size_t *size, convoy_error *err)
{
    char reason[HDF5_REASON_SIZE];
    ssize_t length = H5Fflush(file->id, H5F_SCOPE_GLOBAL) < 0 ? -1 : H5Fget_file_image(file->id, NULL, 0);
    if (length <= 0)
        return base_fail(err, CONVOY_ERROR_MEMORY, "libhdf5 can't finish the file: %s", hdf5_reason(reason));
    char *data = malloc((size_t)length);
    if (data == NULL)
        return OUT_OF_MEMORY(err);
    if (H5Fget_file_image(file->id, data, (size_t)length) != length) {
        free(data);
        return base_fail(err, CONVOY_ERROR_MEMORY, "libhdf5 can't finish the file: %s", hdf5_reason(reason));
    }
    *out = data;
    *size = (size_t)length;
    return CONVOY_OK;
}

void hdf5_close(hdf5_file *file)
{
    H5Fclose(file->id);
    file->id = -1;
    be_as_before(file);
}
