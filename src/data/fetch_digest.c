/* Digests of files, by libcrypto. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/fetch.h"

#define BLOCK ((size_t)1 << 20)

static convoy_status read_through(const fetch_run *run, const fetch_part *part, const char *path, int fd,
                                  EVP_MD_CTX *digest, char *block, convoy_error *err)
{
    uint64_t done = 0;
    for (;;) {
        ssize_t n = read(fd, block, BLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return base_fail(err, CONVOY_ERROR_FILE, "%s: can't read: %s", path, strerror(errno));
        if (n == 0)
            return CONVOY_OK;
        if (EVP_DigestUpdate(digest, block, (size_t)n) != 1)
            return OUT_OF_MEMORY(err);
        done += (uint64_t)n;
        if (fetch_progress(run, "checking", part->name, done, part->size))
            return base_fail(err, CONVOY_ERROR_INTERRUPTED, "interrupted; %s is kept", path);
    }
}

/* `kind`: "md5" or "sha256". */
static void write_digest(char out[FETCH_DIGEST_SIZE], const char *kind, const unsigned char *bytes, unsigned count)
{
    size_t used = (size_t)snprintf(out, FETCH_DIGEST_SIZE, "%s:", kind);
    for (unsigned i = 0; i < count && used + 3 <= FETCH_DIGEST_SIZE; i++)
        used += (size_t)snprintf(out + used, FETCH_DIGEST_SIZE - used, "%02x", bytes[i]);
}

convoy_status fetch_check(const fetch_run *run, const fetch_part *part, const char *path, bool *fits,
                          char found[FETCH_DIGEST_SIZE], convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    char kind[16], *block = malloc(BLOCK);
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned count = 0;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(kind, sizeof kind, "%.*s", (int)strcspn(part->digest, ":"), part->digest);
    if (block == NULL || digest == NULL)
        TRY_GOTO(OUT_OF_MEMORY(err));
    if (fd < 0)
        TRY_GOTO(base_fail(err, CONVOY_ERROR_FILE, "%s: can't open: %s", path, strerror(errno)));
    const EVP_MD *method = EVP_get_digestbyname(kind);
    if (method == NULL || EVP_DigestInit_ex(digest, method, NULL) != 1)
        TRY_GOTO(base_fail(err, CONVOY_ERROR_UNSUPPORTED,
                           "%s: can't be compared with the published digest: this system's libcrypto refuses %s (in FIPS "
                           "mode, say)",
                           path, kind));
    TRY_GOTO(read_through(run, part, path, fd, digest, block, err));
    if (EVP_DigestFinal_ex(digest, bytes, &count) != 1)
        TRY_GOTO(OUT_OF_MEMORY(err));
    write_digest(found, kind, bytes, count);
    *fits = strcmp(found, part->digest) == 0;
done:
    if (fd >= 0)
        close(fd);
    EVP_MD_CTX_free(digest);
    free(block);
    return status;
}
