#include "data/pixels.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "data/data.h"

convoy_status pixels_create(pixels **out, convoy_error *err)
{
    pixels *p = calloc(1, sizeof *p);
    if (p == NULL)
        return OUT_OF_MEMORY(err);
    p->file = -1;
    atomic_init(&p->owners, 1);
    *out = p;
    return CONVOY_OK;
}

pixels *pixels_share(pixels *p)
{
    atomic_fetch_add(&p->owners, 1);
    return p;
}

static void drop(pixels *p)
{
    if (p->mapping != NULL)
        munmap(p->mapping, p->mapped);
    else
        free(p->bytes);
    if (p->file >= 0)
        close(p->file);
    p->mapping = p->bytes = NULL;
    p->size = p->mapped = 0;
    p->outgrown = false;
    p->file = -1;
}

void pixels_release(pixels *p)
{
    if (p == NULL || atomic_fetch_sub(&p->owners, 1) > 1)
        return;
    drop(p);
    free(p);
}

void pixels_adopt(pixels *p, void *mapping, size_t mapped, size_t offset)
{
    drop(p);
    p->mapping = mapping;
    p->mapped = mapped;
    p->bytes = (uint8_t *)mapping + offset;
    p->size = mapped - offset;
    p->outgrown = mapped > pixels_most_memory();
    if (p->outgrown)
        madvise(mapping, mapped, MADV_RANDOM); /* what lies beside an image is not what is read next */
}

/* ---- how much memory there is ---- */

/* Of the control group that a container is; where there is none, or no limit, SIZE_MAX. */
static size_t group_limit(void)
{
    unsigned long long limit;
    FILE *f = fopen("/sys/fs/cgroup/memory.max", "re");
    bool known = f != NULL && fscanf(f, "%llu", &limit) == 1 && limit < SIZE_MAX;
    if (f != NULL)
        fclose(f);
    return known ? (size_t)limit : SIZE_MAX;
}

size_t pixels_most_memory(void)
{
    static const int kinds[] = {RLIMIT_AS, RLIMIT_DATA};
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    size_t most = group_limit();
    if (pages > 0 && page > 0 && (size_t)pages < most / (size_t)page)
        most = (size_t)pages * (size_t)page;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct rlimit limit;
        if (getrlimit(kinds[i], &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < most)
            most = (size_t)limit.rlim_cur;
    }
    return most / 4;
}

void pixels_expect(const pixels *p, const uint8_t *bytes, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), from = (size_t)(bytes - (uint8_t *)p->mapping);
    size_t start = from / page * page;
    madvise((uint8_t *)p->mapping + start, from + size - start, MADV_WILLNEED);
}

/* ---- room ---- */

static convoy_status open_unnamed(int *out, convoy_error *err)
{
    char folder[PATH_MAX], path[PATH_MAX];
    TRY(places_cache(folder, err));
    TRY(file_make_folder(folder, err));
    TRY(folder_join(path, folder, "pixels.XXXXXX", err));
    *out = mkstemp(path);
    if (*out < 0)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: can't make a file there: %s", folder, strerror(errno));
    unlink(path);
    fcntl(*out, F_SETFD, FD_CLOEXEC);
    return CONVOY_OK;
}

/* Room on the disk is had now: a page without any would end the process when it is written. */
static convoy_status map_file(int file, size_t size, void **out, convoy_error *err)
{
    int code = posix_fallocate(file, 0, (off_t)size);
    if (code != 0)
        return base_fail(err, CONVOY_ERROR_FILE, "%zu bytes of images don't fit into the cache folder: %s", size,
                         strerror(code));
    *out = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (*out == MAP_FAILED)
        return base_fail(err, CONVOY_ERROR_MEMORY, "%zu bytes of images can't be mapped: %s", size, strerror(errno));
    return CONVOY_OK;
}

static convoy_status move_to_file(pixels *p, size_t size, convoy_error *err)
{
    void *mapping = NULL;
    int file = p->file;
    if (file < 0)
        TRY(open_unnamed(&file, err));
    convoy_status status = map_file(file, size, &mapping, err);
    if (status != CONVOY_OK) {
        if (file != p->file)
            close(file);
        return status;
    }
    if (p->file < 0 && p->size > 0)
        memcpy(mapping, p->bytes, p->size);
    p->file = -1; /* drop would close it */
    pixels_adopt(p, mapping, size, 0);
    p->file = file;
    return CONVOY_OK;
}

static bool grow_in_memory(pixels *p, size_t size)
{
    uint8_t *bytes = p->mapping != NULL ? NULL : realloc(p->bytes, size);
    if (bytes == NULL)
        return false;
    p->bytes = bytes;
    p->size = size;
    return true;
}

convoy_status pixels_reserve(pixels *p, size_t size, convoy_error *err)
{
    convoy_error why = {0};
    if (size <= p->size)
        return CONVOY_OK;
    if (size <= pixels_most_memory() && grow_in_memory(p, size))
        return CONVOY_OK;
    if (move_to_file(p, size, &why) == CONVOY_OK || grow_in_memory(p, size))
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_MEMORY, "out of host memory: %zu bytes of images, and no file can hold them: %s",
                     size, why.message);
}
