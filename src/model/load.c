/* One name for every kind of model: the content of the file tells which. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "model/build.h"

/* The first bytes of a regular file; *size is how many there were. */
static convoy_status read_beginning(const char *path, char *out, size_t *size, convoy_error *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* O_NONBLOCK: a FIFO must not hang us */
    if (fd < 0)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: can't open: %s", path, strerror(errno));
    ssize_t n = -1;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        base_fail(err, CONVOY_ERROR_FILE, "%s: is %s; expected a .keras file or a Keras JSON config", path,
                  S_ISDIR(info.st_mode) ? "a folder" : "not a regular file");
    else if ((n = read(fd, out, *size)) < 0)
        base_fail(err, CONVOY_ERROR_FILE, "%s: can't read: %s", path, strerror(errno));
    close(fd);
    if (n < 0)
        return CONVOY_ERROR_FILE;
    *size = (size_t)n;
    return CONVOY_OK;
}

static bool begins_json(const char *data, size_t size)
{
    size_t i = size >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    while (i < size && strchr(" \t\r\n", data[i]) != NULL && data[i] != '\0')
        i++;
    return i < size && (data[i] == '{' || data[i] == '[');
}

static bool ends_with(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);
    return n >= m && strcmp(path + n - m, ending) == 0;
}

static convoy_status load_json(const char *path, convoy_model **out, convoy_error *err)
{
    char *json = NULL;
    size_t size = 0;
    TRY(file_read(path, MOST_JSON, &json, &size, err));
    convoy_status status = convoy_model_from_json(json, size, out, err);
    free(json);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "%s", path);
}

convoy_status convoy_model_load(const char *name_or_path, convoy_model **out, convoy_error *err)
{
    const char *path = name_or_path;
    char data[512];
    size_t size = sizeof data;
    /* A data set's folder may well be called like a built-in model. */
    if (!file_exists(path) || (file_is_folder(path) && builtin_has(path)))
        return builtin_model(path, out, err);
    TRY(read_beginning(path, data, &size, err));
    if (size == 0)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: is empty; expected a .keras file or a Keras JSON config", path);
    if (size >= 2 && memcmp(data, "PK", 2) == 0)
        return keras_file_load(path, out, err);
    if (size >= 8 && memcmp(data, "\x89HDF\r\n\x1a\n", 8) == 0)
        return base_fail(err, CONVOY_ERROR_FORMAT,
                         "%s: an HDF5 file; Keras's legacy .h5 models are not supported: save it as .keras",
                         path);
    if (begins_json(data, size) || ends_with(path, ".json"))
        return load_json(path, out, err);
    return base_fail(err, CONVOY_ERROR_FORMAT, "%s: neither a .keras file (a zip archive) nor a Keras JSON config",
                     path);
}
