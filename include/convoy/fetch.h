/* Well-known data sets from their homes on the net: downloaded, verified and unpacked into a folder of the user's. */
#ifndef CONVOY_FETCH_H
#define CONVOY_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convoy/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CONVOY_PATH_SIZE 4096

/* What happens right now to one of the files that a data set consists of. */
typedef struct convoy_fetch_progress {
    const char *doing; /* "downloading", "checking" or "unpacking" */
    const char *file;  /* "cifar-10-binary.tar.gz" */
    uint64_t done, total; /* bytes */
} convoy_fetch_progress;

typedef struct convoy_fetch_options {
    const char *folder; /* where the data set's own folder goes; NULL: $XDG_DATA_HOME/convoy, else ~/.local/share/convoy */
    const char *mirror; /* takes the files from there: the address of their folder or of a file (http, https, file) */
    bool force;         /* fetches what is here already, too */
    /* Called at least about once a second; anything but 0 stops the fetching (CONVOY_ERROR_INTERRUPTED). */
    int (*on_progress)(void *user, const convoy_fetch_progress *now);
    /* What a user may want to know: a connection that broke and goes on, a server that can't resume. */
    void (*on_message)(void *user, const char *text);
    void *user;
} convoy_fetch_options;

typedef struct convoy_fetch_result {
    char path[CONVOY_PATH_SIZE]; /* the data set's folder: what convoy_dataset_open reads */
    bool was_here;               /* all of it was there before: nothing was downloaded */
} convoy_fetch_result;

convoy_status convoy_fetch_sized(const char *name, const convoy_fetch_options *options, size_t options_size,
                                 convoy_fetch_result *result, convoy_error *err);
/* Fetches the data set called `name` (convoy_fetch_describe lists them). Each file is compared with its published size
 * and digest before anything is unpacked; the folder appears complete or not at all. What was downloaded before an
 * interruption or a failure stays beside it, in NAME.part, and the next call goes on from there. Proxies come from
 * http_proxy, https_proxy, all_proxy and no_proxy, certificates from CURL_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR, as
 * for the command curl. `options` and `result` may be NULL. Errors: CONVOY_ERROR_ARGUMENT (no such name, a mirror that
 * is no address), _FILE (network and disk), _FORMAT (other bytes than published, an archive that holds what it should
 * not), _INTERRUPTED, _UNSUPPORTED (built without libcurl, libcrypto or libarchive). */
static inline convoy_status convoy_fetch(const char *name, const convoy_fetch_options *options, convoy_fetch_result *result,
                                         convoy_error *err)
{
    return convoy_fetch_sized(name, options, sizeof *options, result, err);
}

typedef struct convoy_fetch_info {
    const char *name;  /* "cifar10" */
    const char *title; /* what it is, in one line */
    const char *home;  /* the address that its files come from */
    uint64_t bytes;    /* to download */
    char path[CONVOY_PATH_SIZE]; /* where it lies, or would lie */
    bool here;
} convoy_fetch_info;

/* How many data sets can be fetched, and what number `index` (from 0) is; `folder` as in the options. */
size_t convoy_fetch_count(void);
convoy_status convoy_fetch_describe(size_t index, const char *folder, convoy_fetch_info *out, convoy_error *err);

#ifdef __cplusplus
}
#endif
#endif
