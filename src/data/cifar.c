/* Finds the files of CIFAR-10 and CIFAR-100 in a folder, or takes one such file. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "data/cifar.h"

static const char *const train_bins[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                         "data_batch_4.bin", "data_batch_5.bin", NULL};
static const char *const test_bins[] = {"test_batch.bin", NULL};
static const char *const train_pickles[] = {"data_batch_1", "data_batch_2", "data_batch_3",
                                            "data_batch_4", "data_batch_5", NULL};
static const char *const test_pickles[] = {"test_batch", NULL};
static const char *const train_bins_100[] = {"train.bin", NULL};
static const char *const test_bins_100[] = {"test.bin", NULL};
static const char *const train_pickles_100[] = {"train", NULL};
static const char *const test_pickles_100[] = {"test", NULL};

static const char *const names_10[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                       "dog",      "frog",       "horse", "ship", "truck"};

#define BINARY .append = cifar_binary_append, .read_names = cifar_binary_names
#define PYTHON .append = cifar_python_append, .read_names = cifar_python_names

/* Looked for in this order. Coarse labels have a row of their own, right behind the fine ones. */
enum { BINARY_10, PYTHON_10, BINARY_100, BINARY_100_COARSE, PYTHON_100, PYTHON_100_COARSE, FORMS };
static const cifar_form forms[FORMS] = {
    [BINARY_10] = {.title = "CIFAR-10", .folder = "cifar-10-batches-bin", .files = {train_bins, test_bins},
                   .listed = {"data_batch_1.bin to data_batch_5.bin", "test_batch.bin"}, .classes = 10,
                   .label_bytes = 1, .names_file = "batches.meta.txt", .names = names_10, BINARY},
    [PYTHON_10] = {.title = "CIFAR-10", .folder = "cifar-10-batches-py", .files = {train_pickles, test_pickles},
                   .listed = {"data_batch_1 to data_batch_5", "test_batch"}, .classes = 10, .label_key = "labels",
                   .names_file = "batches.meta", .names_key = "label_names", .names = names_10, PYTHON},
    [BINARY_100] = {.title = "CIFAR-100", .folder = "cifar-100-binary", .files = {train_bins_100, test_bins_100},
                    .listed = {"train.bin", "test.bin"}, .classes = 100, .label_bytes = 2, .label_at = 1,
                    .names_file = "fine_label_names.txt", BINARY},
    [BINARY_100_COARSE] = {.title = "CIFAR-100", .folder = "cifar-100-binary", .files = {train_bins_100, test_bins_100},
                           .listed = {"train.bin", "test.bin"}, .classes = 20, .label_bytes = 2,
                           .names_file = "coarse_label_names.txt", BINARY},
    [PYTHON_100] = {.title = "CIFAR-100", .folder = "cifar-100-python", .files = {train_pickles_100, test_pickles_100},
                    .listed = {"train", "test"}, .classes = 100, .label_key = "fine_labels", .names_file = "meta",
                    .names_key = "fine_label_names", PYTHON},
    [PYTHON_100_COARSE] = {.title = "CIFAR-100", .folder = "cifar-100-python",
                           .files = {train_pickles_100, test_pickles_100}, .listed = {"train", "test"}, .classes = 20,
                           .label_key = "coarse_labels", .names_file = "meta", .names_key = "coarse_label_names",
                           PYTHON},
};

static const cifar_form *chosen(int form, const data_request *request)
{
    bool coarse = request->options->coarse_labels && (form == BINARY_100 || form == PYTHON_100);
    return &forms[form + coarse];
}

/* The Python version's names have no ending and are common: folders called train and test hold images. */
static bool holds_files(const cifar_form *form, const char *folder)
{
    char path[PATH_MAX];
    for (int part = 0; part < 2; part++)
        for (const char *const *name = form->files[part]; *name != NULL; name++)
            if (folder_join(path, folder, *name, NULL) == CONVOY_OK && file_exists(path) &&
                (form->append == cifar_binary_append || !file_is_folder(path)))
                return true;
    return false;
}

/* The form that lies in the request's folder, or in the tar ball's folder in it (`out`); NULL when none does. */
static const cifar_form *find(const data_request *request, char out[PATH_MAX])
{
    for (int nested = 0; nested < 2; nested++)
        for (int i = 0; i < FORMS; i++) {
            if (!nested)
                text_copy(out, PATH_MAX, request->path);
            else if (folder_join(out, request->path, forms[i].folder, NULL) != CONVOY_OK)
                continue;
            if (holds_files(&forms[i], out))
                return chosen(i, request);
        }
    return NULL;
}

bool cifar_fits(const data_request *request)
{
    char folder[PATH_MAX];
    return request->is_folder && find(request, folder) != NULL;
}

static convoy_status name_classes(const cifar_form *form, const char *folder, bool is_cifar, convoy_dataset *data,
                                  convoy_error *err)
{
    char path[PATH_MAX];
    TRY(folder_join(path, folder, form->names_file, err));
    if (file_exists(path))
        return form->read_names(form, path, data, err);
    return is_cifar && form->names != NULL ? dataset_set_names(data, form->names, err) : CONVOY_OK;
}

static convoy_status new_set(const cifar_form *form, convoy_dataset **out, convoy_error *err)
{
    convoy_shape shape = {3, {CIFAR_SIDE, CIFAR_SIDE, CIFAR_CHANNELS}};
    return dataset_new(shape, form->classes, NULL, out, err);
}

/* A file of several that is not there was lost on the way: 40,000 images are not CIFAR-10. A single first file of fewer images
 * than a whole one has, such as the built-in sample's, is a set of its own. */
static convoy_status check_complete(const cifar_form *form, const char *folder, const char *const *names, size_t count,
                                    convoy_error *err)
{
    char missing[128] = "";
    size_t there = 0, used = 0;
    for (size_t i = 0; names[i] != NULL; i++) {
        if (folder_holds(folder, names[i]))
            there++;
        else
            used += (size_t)snprintf(missing + used, sizeof missing - used, "%s%s", used > 0 ? ", " : "", names[i]);
    }
    bool small = there == 1 && folder_holds(folder, names[0]) && count < CIFAR_FILE_IMAGES;
    if (used == 0 || there == 0 || small)
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_FORMAT, "%s: %s %s missing, but %zu of the training files of %s %s there; fetch the data "
                     "set again, or unpack all of it", folder, missing, strchr(missing, ',') ? "are" : "is", there, form->title,
                     there == 1 ? "is" : "are");
}

convoy_status cifar_read(const data_request *request, convoy_dataset **out, const char **listed, convoy_error *err)
{
    char folder[PATH_MAX], path[PATH_MAX];
    const cifar_form *form = find(request, folder);
    TRY(new_set(form, out, err));
    *listed = form->listed[request->test];
    for (const char *const *name = form->files[request->test]; *name != NULL; name++) {
        if (!folder_holds(folder, *name))
            continue;
        TRY(folder_join(path, folder, *name, err));
        TRY(form->append(form, path, *out, err));
    }
    TRY(check_complete(form, folder, form->files[request->test], (*out)->count, err));
    return name_classes(form, folder, true, *out, err);
}

/* ---- one file ---- */

static bool is_pickle(const data_request *request)
{
    return request->head[0] == 0x80; /* no label is that high */
}

/* Last in the table of readers: a file that nothing else knows is measured against CIFAR-10's records. */
bool cifar_file_fits(const data_request *request)
{
    return !request->is_folder;
}

/* Records of CIFAR-100 are a byte longer; a size that fits both is taken for the more common CIFAR-10. */
static bool has_records_of_100(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && info.st_size > 0 && info.st_size % (1 + CIFAR_PIXELS) != 0 &&
           info.st_size % (2 + CIFAR_PIXELS) == 0;
}

convoy_status cifar_file_read(const data_request *request, convoy_dataset **out, const char **listed,
                              convoy_error *err)
{
    char folder[PATH_MAX];
    bool python = is_pickle(request), is_100 = !python && has_records_of_100(request->path);
    const char *slash = strrchr(request->path, '/');
    if (python)
        TRY(cifar_python_is_100(request->path, &is_100, err));
    const cifar_form *form =
        chosen(python ? (is_100 ? PYTHON_100 : PYTHON_10) : is_100 ? BINARY_100 : BINARY_10, request);
    TRY(new_set(form, out, err));
    *listed = "records";
    TRY(form->append(form, request->path, *out, err));
    if (slash == NULL)
        text_copy(folder, sizeof folder, ".");
    else
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - request->path + 1), request->path);
    /* A Python file's dict says what it is; nothing says so of records. */
    return name_classes(form, folder, python, *out, err);
}
