/* One name for every kind of model: the content of the file tells which. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "files/files.h"
#include "files/tfjs.h"
#include "model/build.h"

#define EXPECTED "a .keras file, a .h5 file of Keras, a Keras JSON config or the model.json of a TensorFlow.js layers model"

/* The first bytes of a regular file; *size is how many there were. */
static convoy_status read_beginning(const char *path, char *out, size_t *size, convoy_error *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* O_NONBLOCK: a FIFO must not hang us */
    if (fd < 0)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: can't open: %s", path, strerror(errno));
    ssize_t n = -1;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        base_fail(err, CONVOY_ERROR_FILE, "%s: is %s; expected a file", path,
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

/* A safetensors file begins with the length of a JSON object, eight bytes, and the object. */
static model_file_kind kind_of(const char *path, const char *data, size_t size)
{
    if (size == 0)
        return MODEL_FILE_EMPTY;
    if (size >= 2 && memcmp(data, "PK", 2) == 0)
        return MODEL_FILE_ZIP;
    if (size >= 8 && memcmp(data, "\x89HDF\r\n\x1a\n", 8) == 0)
        return MODEL_FILE_HDF5;
    if (text_ends_with(path, ".safetensors") || (size >= 9 && data[8] == '{' && memcmp(data + 5, "\0\0\0", 3) == 0))
        return MODEL_FILE_SAFETENSORS;
    return begins_json(data, size) || text_ends_with(path, ".json") ? MODEL_FILE_JSON : MODEL_FILE_OTHER;
}

convoy_status model_file_kind_of(const char *path, model_file_kind *out, convoy_error *err)
{
    char data[512];
    size_t size = sizeof data;
    TRY(read_beginning(path, data, &size, err));
    *out = kind_of(path, data, size);
    return CONVOY_OK;
}

convoy_status config_parse_file(const char *path, json_t **out, convoy_error *err)
{
    char *json = NULL;
    size_t size = 0;
    TRY(file_read(path, MOST_JSON, &json, &size, err));
    convoy_status status = config_parse(json, size, out, err);
    free(json);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "%s", path);
}

static convoy_status load_json(const char *path, convoy_model **out, convoy_error *err)
{
    json_t *root = NULL;
    TRY(config_parse_file(path, &root, err));
    convoy_status status = tfjs_is(root) ? tfjs_read(root, path, out, err) : config_read(root, out, err);
    json_decref(root);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "%s", path);
}

convoy_status convoy_model_load(const char *name_or_path, convoy_model **out, convoy_error *err)
{
    const char *path = name_or_path;
    model_file_kind kind = MODEL_FILE_OTHER;
    /* A data set's folder may well be called like a built-in model. */
    if (!file_exists(path) || (file_is_folder(path) && builtin_has(path)))
        return builtin_model(path, out, err);
    TRY(model_file_kind_of(path, &kind, err));
    switch (kind) {
    case MODEL_FILE_ZIP: return keras_file_load(path, out, err);
    case MODEL_FILE_HDF5: return keras_legacy_load(path, out, err);
    case MODEL_FILE_JSON: return load_json(path, out, err);
    case MODEL_FILE_EMPTY: return base_fail(err, CONVOY_ERROR_FORMAT, "%s: is empty; expected " EXPECTED, path);
    case MODEL_FILE_SAFETENSORS:
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: a safetensors file holds weights alone, no model: name the model, and "
                         "give this file as its weights (convoy_model_load_weights)", path);
    case MODEL_FILE_OTHER: break;
    }
    return base_fail(err, CONVOY_ERROR_FORMAT, "%s: neither a .keras file (a zip archive), nor a .h5 file of Keras, nor a Keras "
                     "JSON config, nor a TensorFlow.js layers model", path);
}
