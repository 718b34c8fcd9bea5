#include "data/image_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/fnv.h"

/* Any change of what decoding gives, or of the form of an entry, makes all entries others. */
#define VERSION 1
#define MAGIC UINT64_C(0x3167696d76796e63) /* also tells the order of bytes */

/* An entry: this, zeros up to PIXELS, the pixels, zeros up to a multiple of 8, the labels, then the text about the first file
 * that was left out. */
#define PIXELS 4096
typedef struct header {
    uint64_t magic, key;
    uint64_t count, row;    /* images, and bytes of one */
    uint64_t skipped, text; /* files that were left out; bytes of the text */
    uint64_t digest;        /* of what stands before it and of all from PIXELS on */
} header;

#define MOST_TEXT (sizeof((convoy_error *)0)->message)

static size_t labels_at(uint64_t count, uint64_t row)
{
    return PIXELS + (size_t)(count * row + 7) / 8 * 8;
}

static size_t size_of(const header *h)
{
    return labels_at(h->count, h->row) + (size_t)h->count * sizeof(int32_t) + (size_t)h->text;
}

/* ---- digests ---- */

static uint64_t mix(uint64_t lane, uint64_t word)
{
    lane ^= word;
    return (lane << 29 | lane >> 35) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Of an entry whose size fits: as fast as memory, as it is done at every opening. */
static uint64_t digest(const uint8_t *entry, size_t size)
{
    uint64_t lane[4] = {1, 2, 3, 4}, word;
    size_t at = PIXELS;
    for (; at + sizeof lane <= size; at += sizeof lane)
        for (size_t k = 0; k < 4; k++) {
            memcpy(&word, entry + at + k * sizeof word, sizeof word);
            lane[k] = mix(lane[k], word);
        }
    uint64_t hash = fnv1a(FNV_BASIS, entry, offsetof(header, digest));
    hash = fnv1a(hash, lane, sizeof lane);
    return fnv1a(hash, entry + at, size - at);
}

static uint64_t hash_job(uint64_t hash, const image_job *job, size_t root)
{
    const char *name = job->path + root + strspn(job->path + root, "/"); /* "set" and "set/" are the same */
    struct stat info;
    int64_t facts[4] = {job->label, -1, 0, 0};
    if (stat(job->path, &info) == 0) {
        facts[1] = info.st_size;
        facts[2] = info.st_mtim.tv_sec;
        facts[3] = info.st_mtim.tv_nsec;
    }
    hash = fnv1a(hash, name, strlen(name) + 1);
    return fnv1a(hash, facts, sizeof facts);
}

/* The same folder by another way is the same folder. */
static uint64_t key_of(const char *root, const image_job *jobs, size_t count, const convoy_dataset *data)
{
    char real[PATH_MAX];
    const int shape[5] = {VERSION, data->shape.dim[0], data->shape.dim[1], data->shape.dim[2], data->classes};
    if (realpath(root, real) == NULL)
        snprintf(real, sizeof real, "%s", root);
    uint64_t hash = fnv1a(FNV_BASIS, shape, sizeof shape);
    hash = fnv1a(hash, real, strlen(real) + 1);
    for (size_t i = 0; i < count; i++)
        hash = hash_job(hash, &jobs[i], strlen(root));
    return hash;
}

/* ---- reading ---- */

/* Is the mapping an entry of this key, whole and undamaged? */
static bool is_whole(const image_cache *cache, const uint8_t *entry, size_t size, size_t jobs, size_t row)
{
    const header *h = (const header *)entry;
    return h->magic == MAGIC && h->key == cache->key && h->row == row && h->count >= 1 && h->count <= jobs &&
           h->text <= MOST_TEXT && size_of(h) == size && h->digest == digest(entry, size) &&
           (h->text == 0 || entry[size - 1] == '\0');
}

static convoy_status take(const uint8_t *entry, size_t size, convoy_dataset *data, convoy_error *err)
{
    const header *h = (const header *)entry;
    size_t at = labels_at(h->count, h->row), bytes = (size_t)h->count * sizeof(int32_t);
    int32_t *labels = malloc(bytes);
    char *first = h->text > 0 ? strdup((const char *)entry + at + bytes) : NULL;
    if (labels == NULL || (h->text > 0 && first == NULL)) {
        free(labels);
        free(first);
        return OUT_OF_MEMORY(err);
    }
    memcpy(labels, entry + at, bytes);
    free(data->labels);
    data->labels = labels;
    data->count = (size_t)h->count;
    data->skipped = (size_t)h->skipped;
    data->first_skipped = first;
    pixels_adopt(data->pixels, (void *)entry, size, PIXELS);
    data->images = data->pixels->bytes;
    return CONVOY_OK;
}

/* A damaged entry goes, to be made anew. */
static convoy_status load(const image_cache *cache, size_t jobs, convoy_dataset *data, bool *found, convoy_error *err)
{
    size_t size = 0;
    int file;
    *found = false;
    if (file_open(cache->path, SIZE_MAX, &file, &size, NULL) != CONVOY_OK)
        return CONVOY_OK;
    void *entry = size < PIXELS ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);
    bool whole = entry != MAP_FAILED && is_whole(cache, entry, size, jobs, dataset_image_bytes(data));
    if (whole)
        (void)futimens(file, NULL); /* used now: the oldest go first */
    else
        unlink(cache->path);
    close(file);
    convoy_status status = whole ? take(entry, size, data, err) : CONVOY_OK;
    *found = whole && status == CONVOY_OK;
    if (!*found && entry != MAP_FAILED)
        munmap(entry, size);
    return status;
}

/* ---- writing ---- */

/* All the room is had now: a page of a full disk would end the process when it is written. */
static convoy_status make_room(image_cache *cache, size_t size, void **out, convoy_error *err)
{
    int n = snprintf(cache->temporary, sizeof cache->temporary, "%s.XXXXXX", cache->path);
    if (n < 0 || (size_t)n >= sizeof cache->temporary || (cache->file = mkstemp(cache->temporary)) < 0) {
        cache->temporary[0] = '\0';
        return base_fail(err, CONVOY_ERROR_FILE, "%s: can't write there: %s", cache->folder, strerror(errno));
    }
    fcntl(cache->file, F_SETFD, FD_CLOEXEC);
    int code = posix_fallocate(cache->file, 0, (off_t)size);
    if (code != 0)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: no room for %zu bytes of decoded images: %s", cache->folder, size,
                         strerror(code));
    *out = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, cache->file, 0);
    if (*out == MAP_FAILED)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: %zu bytes can't be mapped: %s", cache->folder, size, strerror(errno));
    return CONVOY_OK;
}

static convoy_status begin(image_cache *cache, size_t count, convoy_dataset *data, convoy_error *err)
{
    void *mapping = NULL;
    header most = {.count = count, .row = dataset_image_bytes(data), .text = MOST_TEXT};
    if (most.row > cache->most / count || size_of(&most) > cache->most)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: %zu images of %zu bytes are more than the %llu bytes that are kept",
                         cache->folder, count, (size_t)most.row, (unsigned long long)cache->most);
    int32_t *labels = malloc(count * sizeof *labels);
    if (labels == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = make_room(cache, size_of(&most), &mapping, err);
    if (status != CONVOY_OK) {
        free(labels);
        return status;
    }
    cache->rows = count;
    free(data->labels);
    data->labels = labels;
    pixels_adopt(data->pixels, mapping, size_of(&most), PIXELS);
    data->images = data->pixels->bytes;
    return CONVOY_OK;
}

/* Everything is in the mapping, so that the file needs only its length and its name. It is not synced: the digest tells
 * whether a machine that went down wrote all of it. */
convoy_status image_cache_keep(image_cache *cache, convoy_dataset *data, convoy_error *err)
{
    uint8_t *entry = data->pixels->mapping;
    size_t row = dataset_image_bytes(data), at = labels_at(data->count, row), labels = data->count * sizeof(int32_t);
    header h = {.magic = MAGIC, .key = cache->key, .count = data->count, .row = row, .skipped = data->skipped,
                .text = data->first_skipped == NULL ? 0 : strlen(data->first_skipped) + 1};
    memset(entry + PIXELS + data->count * row, 0, at - PIXELS - data->count * row);
    memcpy(entry + at, data->labels, labels);
    memcpy(entry + at + labels, data->first_skipped ? data->first_skipped : "", (size_t)h.text);
    memcpy(entry, &h, sizeof h);
    h.digest = digest(entry, size_of(&h));
    memcpy(entry, &h, sizeof h);
    (void)mprotect(entry, data->pixels->mapped, PROT_READ);
    if (ftruncate(cache->file, (off_t)size_of(&h)) != 0 || rename(cache->temporary, cache->path) != 0)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: can't keep the decoded images: %s", cache->path, strerror(errno));
    cache->temporary[0] = '\0';
    image_cache_trim(cache->folder, cache->path, cache->most);
    return CONVOY_OK;
}

convoy_status image_cache_open(image_cache *cache, const char *root, const image_job *jobs, size_t count, uint64_t most,
                               convoy_dataset *data, bool *found, convoy_error *err)
{
    char home[PATH_MAX], name[32];
    cache->temporary[0] = '\0';
    cache->file = -1;
    cache->most = most;
    *found = false;
    TRY(places_cache(home, err));
    TRY(folder_join(cache->folder, home, "images", err));
    TRY(file_make_folder(cache->folder, err));
    cache->key = key_of(root, jobs, count, data);
    snprintf(name, sizeof name, "%016llx", (unsigned long long)cache->key);
    TRY(folder_join(cache->path, cache->folder, name, err));
    TRY(load(cache, count, data, found, err));
    return *found ? CONVOY_OK : begin(cache, count, data, err);
}

void image_cache_close(image_cache *cache)
{
    if (cache->temporary[0] != '\0')
        unlink(cache->temporary);
    if (cache->file >= 0)
        close(cache->file);
    cache->temporary[0] = '\0';
    cache->file = -1;
}
