/* The inside of fetching: what the data sets consist of, and the steps. Tests describe small sets of their own. */
#ifndef DATA_FETCH_H
#define DATA_FETCH_H

#include <limits.h>

#include "base/error.h"
#include "convoy/fetch.h"

#define FETCH_MOST_FILES 9
#define FETCH_MOST_PARTS 5

/* A file of the finished data set. */
typedef struct fetch_file {
    const char *name;
    uint64_t size;
    bool at_most;  /* `size` is a bound: the exact one does not matter */
    bool optional; /* the set is complete without it */
} fetch_file;

/* A file to download: a tar ball, or one file compressed by gzip. */
typedef struct fetch_part {
    const char *name;   /* the end of its address */
    uint64_t size;
    const char *digest; /* "md5:..." or "sha256:...", as published */
    const char *folder; /* of a tar ball: the folder that its files lie in; NULL: one compressed file */
    fetch_file files[FETCH_MOST_FILES + 1]; /* ends with a row without a name */
} fetch_part;

typedef struct fetch_set {
    const char *name, *title;
    const char *home; /* ends with a slash */
    fetch_part parts[FETCH_MOST_PARTS]; /* ends with a row without a name */
} fetch_set;

/* How long to put up with a bad connection. */
typedef struct fetch_patience {
    int tries;          /* in a row without a new byte */
    double wait;        /* seconds before the second of these; doubles each time */
    long stall_seconds; /* without a byte: the connection counts as broken */
} fetch_patience;

/* One fetching, as its steps see it. */
typedef struct fetch_run {
    const fetch_set *set;
    fetch_patience patience;
    convoy_fetch_options options;
    char target[PATH_MAX]; /* the finished folder */
    char work[PATH_MAX];   /* holds what is downloaded until then */
    char unpacked[PATH_MAX]; /* in `work`: becomes the target */
} fetch_run;

/* ---- the sets (fetch_sets.c) ---- */

/* CONVOY_ERROR_ARGUMENT, with all names, when there is none of this one. */
convoy_status fetch_find(const char *name, const fetch_set **out, convoy_error *err);

/* Is every file that must be in `folder` there, at its size? */
bool fetch_is_complete(const fetch_set *set, const char *folder);

/* ---- fetch.c ---- */

/* What convoy_fetch does, for any set. */
convoy_status fetch_get(const fetch_set *set, const fetch_patience *patience, const convoy_fetch_options *options,
                        convoy_fetch_result *result, convoy_error *err);

/* Passes on to the options' callbacks; true when the caller asks to stop. */
bool fetch_progress(const fetch_run *run, const char *doing, const char *file, uint64_t done, uint64_t total);
void fetch_message(const fetch_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- the steps ---- */

/* Makes the file `path` complete; what it holds already is not asked for again. *mixed is set when its bytes came from
 * more than one request, so that they may not belong together. (fetch_download.c) */
convoy_status fetch_download(const fetch_run *run, const fetch_part *part, const char *url, const char *path,
                             bool *mixed, convoy_error *err);

/* *fits: does the file have the digest? Else `found` says which it has, written likewise. (fetch_digest.c) */
#define FETCH_DIGEST_SIZE 160
convoy_status fetch_check(const fetch_run *run, const fetch_part *part, const char *path, bool *fits,
                          char found[FETCH_DIGEST_SIZE], convoy_error *err);

/* Unpacks the files that the part is known to hold into run->unpacked, which is there; anything else in the archive is
 * an error. (fetch_unpack.c) */
convoy_status fetch_unpack(const fetch_run *run, const fetch_part *part, const char *archive, convoy_error *err);

#endif
