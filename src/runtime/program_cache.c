/* Compiled programs on disk: one file per source, options, device and driver.
 *
 *   magic, length of the key, length of the binary, checksum of both | key | binary
 *
 * The file's name is a hash of the key; the key itself is in the file and compared, so a clash of names, an entry of
 * another driver or a damaged one is never used: it counts as missing, and the next store overwrites it. Entries appear
 * by rename, so two processes can share a folder. */

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/fnv.h"
#include "base/text.h"
#include "convoy/version.h"
#include "runtime/internal.h"

#define MAGIC "CONVOYP1"
#define LARGEST_ENTRY ((size_t)256 << 20) /* bytes; binaries are a few hundred KB */

typedef struct entry_header {
    char magic[8];
    uint64_t key_length, binary_length, checksum;
} entry_header;

#define OTHER_BASIS UINT64_C(0x6c62272e07bb0142) /* a second, independent half of the name */

static void add_platform(text *key, const convoy_context *ctx)
{
    char version[256] = "";
    rt_platform_version(ctx, version, sizeof version - 1);
    text_add(key, "platform: %s, %s\n", ctx->info.platform_name, version);
}

/* Everything that the binary depends on. */
static char *make_key(const convoy_context *ctx, const char *source, const char *options, size_t *length)
{
    text key = {0};
    char *out;
    text_add(&key, "convoy %s\n", CONVOY_VERSION);
    add_platform(&key, ctx);
    text_add(&key, "device: %s, %s, %s\n", ctx->info.name, ctx->info.vendor, ctx->info.version);
    text_add(&key, "driver: %s\noptions: %s\n\n", ctx->info.driver, options);
    text_add_bytes(&key, source, strlen(source));
    *length = key.length;
    return text_take(&key, &out, NULL) == CONVOY_OK ? out : NULL;
}

static bool entry_path(const convoy_context *ctx, const char *key, size_t length, char *out, size_t size)
{
    int n = snprintf(out, size, "%s/%016llx%016llx.clbin", ctx->cache_dir,
                     (unsigned long long)fnv1a(FNV_BASIS, key, length),
                     (unsigned long long)fnv1a(OTHER_BASIS, key, length));
    return n > 0 && (size_t)n < size;
}

static uint64_t checksum(const void *key, size_t key_length, const void *binary, size_t binary_length)
{
    return fnv1a(fnv1a(FNV_BASIS, key, key_length), binary, binary_length);
}

/* The binary within an entry, NULL when the entry is not whole or not for this key. */
static const char *entry_binary(const char *data, size_t size, const char *key, size_t key_length, size_t *length)
{
    entry_header h;
    if (size < sizeof h)
        return NULL;
    memcpy(&h, data, sizeof h);
    size_t rest = size - sizeof h;
    if (memcmp(h.magic, MAGIC, sizeof h.magic) != 0 || h.key_length != key_length || key_length > rest ||
        h.binary_length == 0 || h.binary_length != rest - key_length)
        return NULL;
    const char *its_key = data + sizeof h, *binary = its_key + key_length;
    if (memcmp(its_key, key, key_length) != 0 || h.checksum != checksum(key, key_length, binary, rest - key_length))
        return NULL;
    *length = rest - key_length;
    return binary;
}

unsigned char *rt_cache_load(const convoy_context *ctx, const char *source, const char *options, size_t *size)
{
    char path[PATH_MAX];
    size_t key_length, file_size, length = 0;
    char *data = NULL;
    unsigned char *out = NULL;
    if (ctx->cache_dir[0] == '\0')
        return NULL;
    char *key = make_key(ctx, source, options, &key_length);
    if (key == NULL)
        return NULL;
    if (entry_path(ctx, key, key_length, path, sizeof path) &&
        file_read(path, LARGEST_ENTRY, &data, &file_size, NULL) == CONVOY_OK) {
        const char *binary = entry_binary(data, file_size, key, key_length, &length);
        out = binary != NULL ? malloc(length) : NULL;
        if (out != NULL) {
            memcpy(out, binary, length);
            *size = length;
        }
    }
    free(data);
    free(key);
    return out;
}

bool rt_cache_store(const convoy_context *ctx, const char *source, const char *options, const unsigned char *binary,
                    size_t size)
{
    char path[PATH_MAX];
    size_t key_length;
    if (ctx->cache_dir[0] == '\0' || size == 0 || file_make_folder(ctx->cache_dir, NULL) != CONVOY_OK)
        return false;
    char *key = make_key(ctx, source, options, &key_length);
    if (key == NULL)
        return false;
    entry_header h = {.key_length = key_length, .binary_length = size,
                      .checksum = checksum(key, key_length, binary, size)};
    memcpy(h.magic, MAGIC, sizeof h.magic);
    text entry = {0};
    text_add_bytes(&entry, &h, sizeof h);
    text_add_bytes(&entry, key, key_length);
    text_add_bytes(&entry, binary, size);
    bool stored = !entry.failed && entry.length <= LARGEST_ENTRY && entry_path(ctx, key, key_length, path, sizeof path) &&
                  file_write(path, entry.data, entry.length, NULL) == CONVOY_OK;
    text_free(&entry);
    free(key);
    return stored;
}
