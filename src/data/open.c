/* Opens what DATA means, a name, a folder or a file: finds the reader that knows what is there. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/options.h"
#include "base/text.h"
#include "data/data.h"

static bool npz_fits(const data_request *request) { return !request->is_folder && memcmp(request->head, "PK\3\4", 4) == 0; }

/* The first that fits reads. Folders of images come after all that have files of known names. */
static const data_reader readers[] = {
    {"a folder of CIFAR's files",
     "data_batch_1.bin to data_batch_5.bin and test_batch.bin (CIFAR-10; also without .bin), train.bin and test.bin (CIFAR-100), all of "
     "these in cifar-10-batches-bin, cifar-10-batches-py, cifar-100-binary and cifar-100-python in it",
     cifar_fits, cifar_read},
    {"a folder of MNIST's files", "train-images-idx3-ubyte (MNIST)", idx_fits, idx_read},
    {"a folder of images with one folder a class", "folders of PNG or JPEG images, one a class", image_folder_fits, image_folder_read},
    {"a .npz file with x_train and so on", NULL, npz_fits, npz_read},
    {"one of CIFAR's files", NULL, cifar_file_fits, cifar_file_read},
};

#define READERS (sizeof readers / sizeof *readers)

const char *convoy_dataset_form(size_t i) { return i < READERS ? readers[i].form : NULL; }

static void read_head(data_request *request)
{
    int fd = open(request->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return; /* the reader will say why */
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && read(fd, request->head, sizeof request->head) < 0)
        memset(request->head, 0, sizeof request->head);
    close(fd);
}

static const data_reader *find_reader(const data_request *request)
{
    for (size_t i = 0; i < READERS; i++)
        if (readers[i].fits(request))
            return &readers[i];
    return NULL;
}

static convoy_status fail_unknown(const char *folder, convoy_error *err)
{
    text t = {0};
    char *list;
    for (size_t i = 0; i < READERS; i++)
        if (readers[i].looked_for)
            text_add(&t, "%s%s", i ? "; " : "", readers[i].looked_for);
    TRY(text_take(&t, &list, err));
    convoy_status status = base_fail(err, CONVOY_ERROR_FORMAT, "%s: no data here: looked for %s", folder, list);
    free(list);
    return status;
}

/* What could be there. */
static convoy_status fail_missing(const char *path, const char *why, convoy_error *err)
{
    text t = {0};
    char *list;
    for (size_t i = 0; i < READERS; i++)
        text_add(&t, "%s, ", readers[i].form);
    TRY(text_take(&t, &list, err));
    convoy_status status = base_fail(err, CONVOY_ERROR_FILE, "%s: %s; %sa name that `convoy fetch` knows, or the built-in name `sample` is "
                                     "expected", path, why, list);
    free(list);
    return status;
}

static convoy_status read_part(const char *name, data_request *request, convoy_dataset **out, convoy_error *err)
{
    char path[PATH_MAX];
    struct stat info;
    const char *listed = "";
    TRY(convoy_dataset_locate(name, path, err));
    request->path = path;
    if (stat(request->path, &info) != 0)
        return fail_missing(request->path, strerror(errno), err);
    request->is_folder = S_ISDIR(info.st_mode);
    if (!request->is_folder)
        read_head(request);
    const data_reader *reader = find_reader(request);
    if (reader == NULL)
        return fail_unknown(request->path, err);
    TRY(reader->read(request, out, &listed, err));
    if ((*out)->count == 0)
        return base_fail(err, CONVOY_ERROR_NO_PART, "%s: no %s part: looked for %s", name,
                         request->test ? "test" : "train", listed);
    return CONVOY_OK;
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

convoy_status convoy_dataset_open_with_sized(const char *data, const char *part, const convoy_dataset_options *options,
                                             size_t options_size, convoy_dataset **out, convoy_error *err)
{
    convoy_dataset *set = NULL;
    TAKE_OPTIONS(convoy_dataset_options, own, options, options_size, err);
    TRY(check_arguments(data, part, out, err));
    data_request request = {.test = strcmp(part, "test") == 0, .options = &own};
    convoy_status status = read_part(data, &request, &set, err);
    if (status == CONVOY_OK)
        *out = set;
    else
        convoy_dataset_destroy(set);
    return status;
}

convoy_status convoy_dataset_open(const char *data, const char *part, convoy_dataset **out, convoy_error *err)
{
    return convoy_dataset_open_with(data, part, NULL, out, err);
}
