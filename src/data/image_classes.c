/* The folders of a folder are the classes. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "convoy/image.h"
#include "data/image_folder.h"

static convoy_status add_class(image_classes *classes, const char *folder, const char *name, convoy_error *err)
{
    char path[PATH_MAX];
    if (name[0] == '.')
        return CONVOY_OK;
    TRY(folder_join(path, folder, name, err));
    if (!file_is_folder(path))
        return CONVOY_OK;
    image_class *items = realloc(classes->items, (classes->count + 1) * sizeof *items);
    if (items == NULL)
        return OUT_OF_MEMORY(err);
    classes->items = items;
    image_class *added = &items[classes->count];
    *added = (image_class){.name = strdup(name)};
    if (added->name == NULL)
        return OUT_OF_MEMORY(err);
    classes->count++;
    return convoy_image_list(path, &added->paths, &added->count, err);
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const image_class *)a)->name, ((const image_class *)b)->name);
}

convoy_status image_classes_scan(const char *folder, image_classes *out, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    DIR *d = opendir(folder);
    *out = (image_classes){0};
    if (d == NULL)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: can't open: %s", folder, strerror(errno));
    for (struct dirent *entry; status == CONVOY_OK && (entry = readdir(d)) != NULL;)
        status = add_class(out, folder, entry->d_name, err);
    closedir(d);
    if (status != CONVOY_OK)
        image_classes_free(out);
    else if (out->count > 0)
        qsort(out->items, out->count, sizeof *out->items, compare);
    return status;
}

void image_classes_free(image_classes *classes)
{
    for (size_t i = 0; i < classes->count; i++) {
        free(classes->items[i].name);
        convoy_image_list_free(classes->items[i].paths, classes->items[i].count);
    }
    free(classes->items);
    *classes = (image_classes){0};
}

bool image_classes_any(const char *folder)
{
    char path[PATH_MAX];
    bool any = false;
    DIR *d = opendir(folder);
    if (d == NULL)
        return false;
    for (struct dirent *entry; !any && (entry = readdir(d)) != NULL;)
        any = entry->d_name[0] != '.' && folder_join(path, folder, entry->d_name, NULL) == CONVOY_OK &&
              file_is_folder(path) && image_list_any(path);
    closedir(d);
    return any;
}
