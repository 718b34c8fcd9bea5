/* A folder of images: which files belong to which class and part, and their decoding by several threads. */
#ifndef DATA_IMAGE_FOLDER_H
#define DATA_IMAGE_FOLDER_H

#include "data/data.h"

/* A folder's folders, sorted: the classes. */
typedef struct image_class {
    char *name;
    char **paths; /* its images, sorted */
    size_t count;
} image_class;

typedef struct image_classes {
    image_class *items;
    size_t count;
} image_classes;

/* image_classes.c. Folders without images are classes too. */
convoy_status image_classes_scan(const char *folder, image_classes *out, convoy_error *err);
void image_classes_free(image_classes *classes);
/* Is there any image in a folder of `folder`? */
bool image_classes_any(const char *folder);

/* Is there any image in a folder or the folders in it? (image_list.c) */
bool image_list_any(const char *folder);

/* One image to decode. */
typedef struct image_job {
    const char *path;
    int label;
    convoy_status status; /* set by image_jobs_run */
    char *error;          /* owned; NULL when it went well */
} image_job;

/* image_jobs.c: decodes all into out, one after another, each of `shape`. `threads` 0: one a processor, at most 8.
 * CONVOY_ERROR_MEMORY only: what is wrong with a file is in its job. */
convoy_status image_jobs_run(image_job *jobs, size_t count, convoy_shape shape, int threads, uint8_t *out,
                             convoy_error *err);

#endif
