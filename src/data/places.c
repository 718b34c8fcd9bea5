/* Where data sets lie that are called by a name. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "config.h"
#include "data/data.h"
#include "data/fetch.h"

convoy_status places_home(char out[PATH_MAX], convoy_error *err)
{
    const char *folder = getenv("XDG_DATA_HOME");
    if (folder != NULL && folder[0] == '/')
        return folder_join(out, folder, "convoy", err);
    folder = getenv("HOME");
    if (folder != NULL && folder[0] == '/')
        return folder_join(out, folder, ".local/share/convoy", err);
    return base_fail(err, CONVOY_ERROR_FILE,
                     "no folder for data: neither XDG_DATA_HOME nor HOME is an absolute path; set one or name a folder");
}

convoy_status places_cache(char out[PATH_MAX], convoy_error *err)
{
    const char *folder = getenv("XDG_CACHE_HOME");
    if (folder != NULL && folder[0] == '/')
        return folder_join(out, folder, "convoy", err);
    folder = getenv("HOME");
    if (folder != NULL && folder[0] == '/')
        return folder_join(out, folder, ".cache/convoy", err);
    return base_fail(err, CONVOY_ERROR_FILE, "no cache folder: neither XDG_CACHE_HOME nor HOME is an absolute path");
}

/* ---- the sample ---- */

/* It lies where CONVOY_DATA_DIR says, where `meson install` put it, or in the source tree. */
static convoy_status find_sample(char out[PATH_MAX], convoy_error *err)
{
    const char *chosen = getenv("CONVOY_DATA_DIR");
    if (file_find_data("sample", out, PATH_MAX))
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_FILE,
                     "sample: the built-in data set is not installed: no folder `sample` in %s (the environment's "
                     "CONVOY_DATA_DIR), %s or %s; set CONVOY_DATA_DIR to the folder that holds it",
                     chosen == NULL || chosen[0] == '\0' ? "\"\"" : chosen, CONVOY_DATA_DIR, CONVOY_SOURCE_DATA_DIR);
}

/* ---- what was fetched, by Convoy or by Keras ---- */

/* Where Keras 3 and older ones keep them. */
static const struct {
    const char *name, *place;
    bool is_file;
} keras_places[] = {
    {"cifar10", "datasets/cifar-10-batches-py-target/cifar-10-batches-py", false},
    {"cifar10", "datasets/cifar-10-batches-py", false},
    {"cifar100", "datasets/cifar-100-python-target/cifar-100-python", false},
    {"cifar100", "datasets/cifar-100-python", false},
    {"mnist", "datasets/mnist.npz", true},
    {"fashion-mnist", "datasets/fashion-mnist", false},
};

static bool find_keras_home(char out[PATH_MAX])
{
    const char *folder = getenv("KERAS_HOME");
    if (folder != NULL && folder[0] != '\0') {
        text_copy(out, PATH_MAX, folder);
        return true;
    }
    folder = getenv("HOME");
    return folder != NULL && folder[0] == '/' && folder_join(out, folder, ".keras", NULL) == CONVOY_OK;
}

/* The place, or a path of "" and in `tried` all that were looked at. */
static convoy_status find_fetched(const char *name, char out[PATH_MAX], text *tried, convoy_error *err)
{
    char home[PATH_MAX];
    TRY(places_home(home, err));
    TRY(folder_join(out, home, name, err));
    if (file_is_folder(out))
        return CONVOY_OK;
    text_add(tried, "%s", out);
    for (size_t i = 0; i < sizeof keras_places / sizeof *keras_places && find_keras_home(home); i++) {
        if (strcmp(keras_places[i].name, name) != 0 ||
            folder_join(out, home, keras_places[i].place, NULL) != CONVOY_OK)
            continue;
        if (keras_places[i].is_file ? file_exists(out) : file_is_folder(out))
            return CONVOY_OK;
        text_add(tried, ", %s", out);
    }
    out[0] = '\0';
    return CONVOY_OK;
}

static convoy_status find_named(const fetch_set *set, char out[PATH_MAX], convoy_error *err)
{
    text tried = {0};
    char *list = NULL;
    convoy_status status = CONVOY_OK;
    TRY_GOTO(find_fetched(set->name, out, &tried, err));
    if (out[0] != '\0')
        goto done;
    TRY_GOTO(text_take(&tried, &list, err));
    status = base_fail(err, CONVOY_ERROR_FILE, "%s: the data set is not here: looked in %s; `convoy fetch %s` gets it",
                       set->name, list, set->name);
done:
    text_free(&tried);
    free(list);
    return status;
}

convoy_status convoy_dataset_locate(const char *data, char path[CONVOY_PATH_SIZE], convoy_error *err)
{
    _Static_assert(CONVOY_PATH_SIZE == PATH_MAX, "paths of the library and of the system are equally long");
    if (data == NULL || data[0] == '\0' || path == NULL)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "no data set is named; give a folder, a file or `sample`");
    if (strlen(data) >= PATH_MAX)
        return base_fail(err, CONVOY_ERROR_FILE, "%.60s...: the path is too long: %zu bytes; at most %d are possible",
                         data, strlen(data), PATH_MAX - 1);
    if (strcmp(data, "sample") == 0)
        return find_sample(path, err);
    const fetch_set *set;
    /* What lies in the current folder under that name goes first. */
    if (!file_exists(data) && fetch_find(data, &set, NULL) == CONVOY_OK)
        return find_named(set, path, err);
    text_copy(path, PATH_MAX, data);
    return CONVOY_OK;
}
