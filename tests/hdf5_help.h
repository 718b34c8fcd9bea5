/* Changes to HDF5 files, for tests that need odd ones. Comes after weights_help.h. */
#ifndef HDF5_HELP_H
#define HDF5_HELP_H

#include <hdf5.h>

/* A copy of a golden file in our folder, opened for changes. */
static inline hid_t open_copy(const char *name, const char *copy)
{
    size_t size;
    char *data = read_golden(name, &size);
    ASSERT_OK(file_write(path_of(copy), data, size, &err));
    free(data);
    hid_t file = H5Fopen(path_of(copy), H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

static inline hid_t open_model(void) { return open_copy("sequential_2.h5", "bad.h5"); }

static inline void set_attribute(hid_t file, const char *path, const char *name, hid_t type, const void *value, hsize_t count)
{
    hid_t space = count > 0 ? H5Screate_simple(1, &count, NULL) : H5Screate(H5S_SCALAR);
    H5Adelete_by_name(file, path, name, H5P_DEFAULT);
    hid_t attribute = H5Acreate_by_name(file, path, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attribute >= 0 && H5Awrite(attribute, type, value) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
}

/* One text, or, with a count, a list of texts one behind the other, `length` bytes each. */
static inline void set_text(hid_t file, const char *path, const char *name, const char *text, size_t length, hsize_t count)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, length ? length : strlen(text));
    set_attribute(file, path, name, type, text, count);
    H5Tclose(type);
}

#endif
