/* Keeps the cache of decoded images small. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "data/image_cache.h"

#define ABANDONED (24 * 3600) /* seconds: what is half made for so long will not be finished */

typedef struct kept_file {
    char name[64]; /* a digest in hex; with a dot and six letters while it is being made */
    struct timespec used;
    uint64_t size;
} kept_file;

typedef struct listing {
    kept_file *files;
    size_t count, capacity;
} listing;

static bool add(listing *l, const char *name, const struct stat *info)
{
    if (l->count == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 32;
        kept_file *files = realloc(l->files, capacity * sizeof *files);
        if (files == NULL)
            return false;
        l->files = files;
        l->capacity = capacity;
    }
    kept_file *file = &l->files[l->count++];
    strcpy(file->name, name);
    file->used = info->st_mtim;
    file->size = (uint64_t)info->st_blocks * 512;
    return true;
}

/* Only what is called as our entries are. */
static bool is_ours(const char *name)
{
    size_t digits = strspn(name, "0123456789abcdef");
    return digits == 16 && (name[16] == '\0' || (name[16] == '.' && strlen(name) == 23));
}

static void list(listing *l, const char *folder)
{
    char path[PATH_MAX];
    struct stat info;
    DIR *d = opendir(folder);
    if (d == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(d)) != NULL;)
        if (is_ours(entry->d_name) && folder_join(path, folder, entry->d_name, NULL) == CONVOY_OK &&
            lstat(path, &info) == 0 && S_ISREG(info.st_mode) && !add(l, entry->d_name, &info))
            break;
    closedir(d);
}

static int by_age(const void *a, const void *b)
{
    const struct timespec *x = &((const kept_file *)a)->used, *y = &((const kept_file *)b)->used;
    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* Of two processes that trim at once one may find a file gone: that is as well. */
void image_cache_trim(const char *folder, const char *kept, uint64_t most)
{
    char path[PATH_MAX];
    listing l = {0};
    uint64_t total = 0;
    time_t now = time(NULL);
    list(&l, folder);
    for (size_t i = 0; i < l.count; i++)
        total += l.files[i].size;
    if (l.count > 0)
        qsort(l.files, l.count, sizeof *l.files, by_age);
    for (size_t i = 0; i < l.count; i++) {
        const kept_file *file = &l.files[i];
        bool making = file->name[16] == '.', abandoned = making && now - file->used.tv_sec > ABANDONED;
        if (folder_join(path, folder, file->name, NULL) != CONVOY_OK || strcmp(path, kept) == 0 ||
            (making ? !abandoned : total <= most))
            continue;
        if (unlink(path) == 0)
            total -= file->size;
    }
    free(l.files);
}
