/* Opens what DATA means: a name, a folder or a file. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "data/data.h"

/* What the tar ball of the binary version unpacks to. */
#define CIFAR_FOLDER "cifar-10-batches-bin"

static const char *const train_files[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                          "data_batch_4.bin", "data_batch_5.bin", NULL};
static const char *const test_files[] = {"test_batch.bin", NULL};

static bool holds(const char *folder, const char *name)
{
    char path[PATH_MAX];
    return places_join(path, folder, name, NULL) == CONVOY_OK && file_exists(path);
}

static bool holds_any(const char *folder, const char *const *names)
{
    for (; *names != NULL; names++)
        if (holds(folder, *names))
            return true;
    return false;
}

static bool holds_batches(const char *folder)
{
    return holds_any(folder, train_files) || holds_any(folder, test_files);
}

/* `folder` itself or the tar ball's folder in it, whichever holds batch files. */
static convoy_status find_batches(const char *folder, char out[PATH_MAX], convoy_error *err)
{
    TRY(places_join(out, folder, CIFAR_FOLDER, err));
    if (!holds_batches(folder) && holds_batches(out))
        return CONVOY_OK;
    if (holds_batches(folder)) {
        text_copy(out, PATH_MAX, folder);
        return CONVOY_OK;
    }
    if (holds(folder, "data_batch_1") || holds(folder, "cifar-10-batches-py"))
        return base_fail(err, CONVOY_ERROR_FORMAT,
                         "%s: this is the Python version of CIFAR-10; the binary version (cifar-10-binary.tar.gz) is "
                         "expected",
                         folder);
    return base_fail(err, CONVOY_ERROR_FORMAT,
                     "%s: no data here: looked for data_batch_1.bin to data_batch_5.bin and test_batch.bin in it and "
                     "in %s",
                     folder, out);
}

static convoy_status append_folder(const char *folder, const char *const *files, convoy_dataset *data,
                                   convoy_error *err)
{
    char found[PATH_MAX], path[PATH_MAX];
    TRY(find_batches(folder, found, err));
    for (; *files != NULL; files++) {
        if (!holds(found, *files))
            continue;
        TRY(places_join(path, found, *files, err));
        TRY(cifar_append(path, data, err));
    }
    return cifar_read_names(found, true, data, err);
}

static convoy_status append_file(const char *path, convoy_dataset *data, convoy_error *err)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    TRY(cifar_append(path, data, err));
    if (slash == NULL)
        text_copy(folder, sizeof folder, ".");
    else
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - path + 1), path);
    return cifar_read_names(folder, false, data, err);
}

static convoy_status append_data(const char *name, const char *const *files, convoy_dataset *data, convoy_error *err)
{
    char path[PATH_MAX];
    struct stat info;
    TRY(convoy_dataset_locate(name, path, err));
    if (stat(path, &info) != 0)
        return base_fail(err, CONVOY_ERROR_FILE,
                         "%s: %s; a folder of CIFAR-10 binary files, one such file, a name that `convoy fetch` knows, "
                         "or the built-in name `sample` is expected",
                         name, strerror(errno));
    return S_ISDIR(info.st_mode) ? append_folder(path, files, data, err) : append_file(path, data, err);
}

static convoy_status check_arguments(const char *data, const char *part, convoy_dataset **out, convoy_error *err)
{
    if (data == NULL || data[0] == '\0' || out == NULL)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "no data set is named; give a folder, a file or `sample`");
    if (part == NULL || (strcmp(part, "train") != 0 && strcmp(part, "test") != 0))
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "%s: no part called \"%s\"; \"train\" or \"test\" is expected",
                         data, part == NULL ? "" : part);
    return CONVOY_OK;
}

convoy_status convoy_dataset_open(const char *data, const char *part, convoy_dataset **out, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    convoy_dataset *set = NULL;
    convoy_shape shape = {3, {CIFAR_SIDE, CIFAR_SIDE, 3}};
    TRY(check_arguments(data, part, out, err));
    const char *const *files = strcmp(part, "train") == 0 ? train_files : test_files;
    TRY_GOTO(dataset_new(shape, CIFAR_CLASSES, NULL, &set, err));
    TRY_GOTO(append_data(data, files, set, err));
    if (set->count == 0)
        TRY_GOTO(base_fail(err, CONVOY_ERROR_FORMAT, "%s: no %s part: looked for %s", data, part,
                           files == train_files ? "data_batch_1.bin to data_batch_5.bin" : "test_batch.bin"));
    *out = set;
    set = NULL;
done:
    convoy_dataset_destroy(set);
    return status;
}
