/* Images of folders, decoded and made to fit, kept so that it is done once. An entry is one part of a folder in one shape, in
 * $XDG_CACHE_HOME/convoy/images (else ~/.cache/convoy/images), under a digest of the folder's path, the names, labels, sizes and
 * times of its files and the shape: a folder that changes gets a new entry. An entry appears complete or not at all; a digest
 * of its bytes is compared whenever it is opened. */
#ifndef DATA_IMAGE_CACHE_H
#define DATA_IMAGE_CACHE_H

#include "data/image_folder.h"

typedef struct image_cache {
    char folder[PATH_MAX], path[PATH_MAX];
    char temporary[PATH_MAX]; /* what the entry is called until it is complete; "": nothing is being made */
    uint64_t key, most;       /* the digest; bytes that all entries may have */
    int file;                 /* of what is being made; else -1 */
    size_t rows;              /* that it has room for */
} image_cache;

/* Looks for the entry of `jobs`, files in `root`. *found: it is there, and `data`, which has its shape and classes but no images,
 * is filled from it. Otherwise `data` gets room for `count` images in a file, and image_cache_keep makes it the entry.
 * Errors: the cache can't be used, and `data` is as it was. To be closed in either case. */
convoy_status image_cache_open(image_cache *cache, const char *root, const image_job *jobs, size_t count, uint64_t most,
                               convoy_dataset *data, bool *found, convoy_error *err);

/* `data`'s images are complete. Removes entries, those that were not used for longest, until all together have `most` bytes. */
convoy_status image_cache_keep(image_cache *cache, convoy_dataset *data, convoy_error *err);
void image_cache_close(image_cache *cache);

/* image_cache_trim.c: removes the oldest files of `folder`, and what was left half made a day ago, until all have at most `most`
 * bytes; `kept` (a path) stays. */
void image_cache_trim(const char *folder, const char *kept, uint64_t most);

#endif
