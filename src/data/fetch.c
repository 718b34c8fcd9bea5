/* Fetching, step by step: download, compare, unpack, put in place. */
#include "data/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/options.h"
#include "base/text.h"
#include "data/data.h"

static const fetch_patience usual = {.tries = 5, .wait = 1, .stall_seconds = 60};

/* ---- news ---- */

bool fetch_progress(const fetch_run *run, const char *doing, const char *file, uint64_t done, uint64_t total)
{
    const convoy_fetch_progress now = {.doing = doing, .file = file, .done = done, .total = total};
    return run->options.on_progress != NULL && run->options.on_progress(run->options.user, &now) != 0;
}

void fetch_message(const fetch_run *run, const char *format, ...)
{
    char line[2048];
    va_list args;
    if (run->options.on_message == NULL)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    run->options.on_message(run->options.user, line);
}

/* ---- addresses ---- */

static bool is_address(const char *url)
{
    static const char *const schemes[] = {"http://", "https://", "file://"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncasecmp(url, schemes[i], strlen(schemes[i])) == 0)
            return true;
    return false;
}

/* How much of `url` is left before a last piece that is the name of one of the set's files; all of it if it is none. */
static size_t base_length(const fetch_set *set, const char *url)
{
    const char *slash = strrchr(url, '/');
    for (const fetch_part *part = set->parts; part->name != NULL; part++)
        if (slash != NULL && strcmp(slash + 1, part->name) == 0)
            return (size_t)(slash + 1 - url);
    return strlen(url);
}

/* The mirror may be given as the address of one of the files, or of the folder that they are in. */
static convoy_status address_of(const fetch_run *run, const fetch_part *part, char out[PATH_MAX], convoy_error *err)
{
    char base[PATH_MAX];
    const char *url = run->options.mirror == NULL ? run->set->home : run->options.mirror;
    if (!is_address(url))
        return base_fail(err, CONVOY_ERROR_ARGUMENT,
                         "mirror '%s': an address that begins with http://, https:// or file:// is expected", url);
    size_t length = base_length(run->set, url);
    if (length >= sizeof base)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "mirror '%.60s...': the address is too long", url);
    snprintf(base, sizeof base, "%.*s", (int)length, url);
    return folder_join(out, base, part->name, err);
}

/* ---- the folders ---- */

static convoy_status set_paths(fetch_run *run, convoy_error *err)
{
    char home[PATH_MAX], name[NAME_MAX];
    const char *folder = run->options.folder;
    if (folder == NULL) {
        TRY(places_home(home, err));
        folder = home;
    }
    snprintf(name, sizeof name, "%s.part", run->set->name);
    TRY(folder_join(run->target, folder, run->set->name, err));
    TRY(folder_join(run->work, folder, name, err));
    return folder_join(run->unpacked, run->work, "unpacked", err);
}

/* Two at once would write into the same files. The lock goes with the descriptor, so a killed process leaves none. */
static convoy_status lock_work(const fetch_run *run, int *out, convoy_error *err)
{
    TRY(file_make_folder(run->work, err));
    *out = open(run->work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*out < 0)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: can't open: %s", run->work, strerror(errno));
    if (flock(*out, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) /* some file systems know no locks: go on there */
        return base_fail(err, CONVOY_ERROR_FILE, "%s: another process is fetching %s at this moment; wait for it",
                         run->work, run->set->name);
    return CONVOY_OK;
}

/* Removes what unpacking may have written: known names only, nothing of the user's. */
static void remove_unpacked(const fetch_run *run)
{
    char path[PATH_MAX];
    for (const fetch_part *part = run->set->parts; part->name != NULL; part++)
        for (const fetch_file *file = part->files; file->name != NULL; file++)
            if (folder_join(path, run->unpacked, file->name, NULL) == CONVOY_OK)
                unlink(path);
    rmdir(run->unpacked);
}

static void remove_downloads(const fetch_run *run)
{
    char path[PATH_MAX];
    for (const fetch_part *part = run->set->parts; part->name != NULL; part++)
        if (folder_join(path, run->work, part->name, NULL) == CONVOY_OK)
            unlink(path);
}

/* ---- the steps ---- */

static convoy_status wrong_bytes(const fetch_part *part, const char *url, const char *found, convoy_error *err)
{
    return base_fail(err, CONVOY_ERROR_FORMAT,
                     "%s: not the file that was published: it has the digest %s; %s is expected. It was removed; try "
                     "again, or name another place by option 'mirror'",
                     url, found, part->digest);
}

/* Downloads a part until its digest is right. A file put together from several answers may be a mixture: it gets
 * a second chance, in one piece. */
static convoy_status obtain(const fetch_run *run, const fetch_part *part, convoy_error *err)
{
    char url[PATH_MAX], path[PATH_MAX], found[FETCH_DIGEST_SIZE];
    bool fits = false, mixed = false;
    TRY(address_of(run, part, url, err));
    TRY(folder_join(path, run->work, part->name, err));
    for (int time = 0; time < 2; time++) {
        mixed = false;
        TRY(fetch_download(run, part, url, path, &mixed, err));
        TRY(fetch_check(run, part, path, &fits, found, err));
        if (fits)
            return CONVOY_OK;
        if (unlink(path) != 0)
            return base_fail(err, CONVOY_ERROR_FILE, "%s: can't remove it: %s", path, strerror(errno));
        if (!mixed)
            break;
        if (time == 0)
            fetch_message(run, "%s: the pieces do not make the file that was published (%s); starting again",
                          part->name, found);
    }
    return wrong_bytes(part, url, found, err);
}

static convoy_status unpack_all(const fetch_run *run, convoy_error *err)
{
    char path[PATH_MAX];
    remove_unpacked(run); /* what a killed process left */
    if (mkdir(run->unpacked, 0777) != 0)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: can't make the folder: %s", run->unpacked, strerror(errno));
    for (const fetch_part *part = run->set->parts; part->name != NULL; part++) {
        TRY(folder_join(path, run->work, part->name, err));
        convoy_status status = fetch_unpack(run, part, path, err);
        if (status == CONVOY_ERROR_FORMAT) /* keeping it would only fail again */
            unlink(path);
        TRY(status);
    }
    return CONVOY_OK;
}

static convoy_status move(const char *from, const char *to, convoy_error *err)
{
    if (rename(from, to) != 0)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: can't rename into place, from %s: %s", to, from,
                         strerror(errno));
    return CONVOY_OK;
}

/* A folder that is there already keeps what else is in it; the set's files are replaced one by one. */
static convoy_status put_in_place(const fetch_run *run, convoy_error *err)
{
    char from[PATH_MAX], to[PATH_MAX];
    if (!file_exists(run->target))
        return move(run->unpacked, run->target, err);
    for (const fetch_part *part = run->set->parts; part->name != NULL; part++)
        for (const fetch_file *file = part->files; file->name != NULL; file++) {
            TRY(folder_join(from, run->unpacked, file->name, err));
            TRY(folder_join(to, run->target, file->name, err));
            if (file_exists(from))
                TRY(move(from, to, err));
        }
    return CONVOY_OK;
}

static convoy_status fetch_parts(const fetch_run *run, convoy_error *err)
{
    for (const fetch_part *part = run->set->parts; part->name != NULL; part++)
        TRY(obtain(run, part, err));
    convoy_status status = unpack_all(run, err);
    if (status == CONVOY_OK)
        status = put_in_place(run, err);
    if (status == CONVOY_OK)
        remove_downloads(run);
    remove_unpacked(run);
    return status;
}

convoy_status fetch_get(const fetch_set *set, const fetch_patience *patience, const convoy_fetch_options *options,
                        convoy_fetch_result *result, convoy_error *err)
{
    fetch_run run = {.set = set, .patience = *patience};
    char url[PATH_MAX];
    int lock = -1;
    if (options != NULL)
        run.options = *options;
    TRY(set_paths(&run, err));
    TRY(address_of(&run, &set->parts[0], url, err)); /* a bad mirror shall not wait for an absent file to be noticed */
    if (file_exists(run.target) && !file_is_folder(run.target))
        return base_fail(err, CONVOY_ERROR_FILE, "%s: is there and is not a folder; move it away, or name another place",
                         run.target);
    bool was_here = !run.options.force && fetch_is_complete(set, run.target);
    if (!was_here) {
        convoy_status status = lock_work(&run, &lock, err);
        if (status == CONVOY_OK)
            status = fetch_parts(&run, err);
        rmdir(run.work); /* fails where something is kept, as it should */
        if (lock >= 0)
            close(lock);
        TRY(status);
    }
    if (result != NULL) {
        text_copy(result->path, sizeof result->path, run.target);
        result->was_here = was_here;
    }
    return CONVOY_OK;
}

convoy_status convoy_fetch_sized(const char *name, const convoy_fetch_options *options, size_t options_size,
                                 convoy_fetch_result *result, convoy_error *err)
{
    const fetch_set *set;
    TAKE_OPTIONS(convoy_fetch_options, own, options, options_size, err);
    TRY(fetch_find(name, &set, err));
    return fetch_get(set, &usual, &own, result, err);
}
