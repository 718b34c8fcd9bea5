/* The image files of a folder and the folders in it. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "convoy/image.h"
#include "data/image_folder.h"

#define MOST_DEPTH 16

typedef struct list {
    char **paths;
    size_t count, capacity, enough; /* the search ends when there are `enough`; 0: never */
} list;

static bool is_image_name(const char *name)
{
    static const char *const endings[] = {"png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot + 1, endings[i]) == 0)
            return true;
    return false;
}

static convoy_status add(list *l, const char *path, convoy_error *err)
{
    if (l->count == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 64;
        char **paths = realloc(l->paths, capacity * sizeof *paths);
        if (paths == NULL)
            return OUT_OF_MEMORY(err);
        l->paths = paths;
        l->capacity = capacity;
    }
    l->paths[l->count] = strdup(path);
    return l->paths[l->count++] != NULL ? CONVOY_OK : OUT_OF_MEMORY(err);
}

static convoy_status walk(list *l, const char *folder, int depth, convoy_error *err);

/* What the folder's entry tells by itself saves asking the file system about each of a million files. */
static bool tells_kind(const struct dirent *entry, mode_t *mode)
{
    *mode = entry->d_type == DT_DIR ? S_IFDIR : entry->d_type == DT_REG ? S_IFREG : entry->d_type == DT_LNK ? S_IFLNK : 0;
    return entry->d_type != DT_UNKNOWN;
}

static convoy_status look_at(list *l, const char *folder, const struct dirent *entry, int depth, convoy_error *err)
{
    char path[PATH_MAX];
    struct stat info;
    if (entry->d_name[0] == '.')
        return CONVOY_OK;
    TRY(folder_join(path, folder, entry->d_name, err));
    if (!tells_kind(entry, &info.st_mode) && lstat(path, &info) != 0)
        return CONVOY_OK; /* gone meanwhile */
    if (S_ISDIR(info.st_mode))
        return depth < MOST_DEPTH ? walk(l, path, depth + 1, err) : CONVOY_OK;
    bool is_file = S_ISREG(info.st_mode) || S_ISLNK(info.st_mode);
    return is_file && is_image_name(entry->d_name) ? add(l, path, err) : CONVOY_OK;
}

static convoy_status walk(list *l, const char *folder, int depth, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    DIR *d = opendir(folder);
    if (d == NULL)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: can't open: %s", folder, strerror(errno));
    for (struct dirent *entry; status == CONVOY_OK && (l->enough == 0 || l->count < l->enough) &&
                               (entry = readdir(d)) != NULL;)
        status = look_at(l, folder, entry, depth, err);
    closedir(d);
    return status;
}

bool image_list_any(const char *folder)
{
    list l = {.enough = 1};
    (void)walk(&l, folder, 0, NULL);
    convoy_image_list_free(l.paths, l.count);
    return l.count > 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

convoy_status convoy_image_list(const char *folder, char ***paths, size_t *count, convoy_error *err)
{
    list l = {0};
    if (folder == NULL || paths == NULL || count == NULL)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "no %s", folder == NULL ? "folder is named" : "place for the list");
    convoy_status status = walk(&l, folder, 0, err);
    if (status != CONVOY_OK) {
        convoy_image_list_free(l.paths, l.count);
        return status;
    }
    if (l.count > 0)
        qsort(l.paths, l.count, sizeof *l.paths, compare);
    *paths = l.paths;
    *count = l.count;
    return CONVOY_OK;
}

void convoy_image_list_free(char **paths, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(paths[i]);
    free(paths);
}
