#include "base/file.h"

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool file_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool file_find_data(const char *name, char *out, size_t size)
{
    const char *const places[] = {getenv("CONVOY_DATA_DIR"), CONVOY_DATA_DIR, CONVOY_SOURCE_DATA_DIR};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (places[i] == NULL || places[i][0] == '\0')
            continue;
        int n = snprintf(out, size, "%s/%s", places[i], name);
        if (n > 0 && (size_t)n < size && file_exists(out))
            return true;
    }
    return false;
}

convoy_status file_open(const char *path, size_t limit, int *out, size_t *size, convoy_error *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* O_NONBLOCK: a FIFO must not hang us */
    if (fd < 0)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: can't open: %s", path, strerror(errno));
    convoy_status status = CONVOY_OK;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        status = base_fail(err, CONVOY_ERROR_FILE, "%s: not a regular file", path);
    else if ((uintmax_t)info.st_size > limit)
        status = base_fail(err, CONVOY_ERROR_FORMAT, "%s: %jd bytes; at most %zu are expected here", path,
                           (intmax_t)info.st_size, limit);
    if (status != CONVOY_OK) {
        close(fd);
        return status;
    }
    *out = fd;
    *size = (size_t)info.st_size;
    return CONVOY_OK;
}

convoy_status file_read_at(int fd, const char *path, size_t offset, void *out, size_t size, convoy_error *err)
{
    for (size_t got = 0; got < size;) {
        ssize_t n = pread(fd, (char *)out + got, size - got, (off_t)(offset + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return base_fail(err, CONVOY_ERROR_FILE, "%s: can't read: %s", path, strerror(errno));
        if (n == 0)
            return base_fail(err, CONVOY_ERROR_FILE, "%s: shrank while it was read", path);
        got += (size_t)n;
    }
    return CONVOY_OK;
}

convoy_status file_read(const char *path, size_t limit, char **out, size_t *size, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    char *data = NULL;
    int fd;
    TRY(file_open(path, limit, &fd, size, err));
    data = malloc(*size + 1);
    if (data == NULL)
        TRY_GOTO(OUT_OF_MEMORY(err));
    TRY_GOTO(file_read_at(fd, path, 0, data, *size, err));
    data[*size] = '\0';
    *out = data;
    data = NULL;
done:
    free(data);
    close(fd);
    return status;
}

static convoy_status write_all(int fd, const char *path, const char *data, size_t size, convoy_error *err)
{
    for (size_t put = 0; put < size;) {
        ssize_t n = write(fd, data + put, size - put);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return base_fail(err, CONVOY_ERROR_FILE, "%s: can't write: %s", path, strerror(errno));
        put += (size_t)n;
    }
    if (fsync(fd) != 0)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: can't sync: %s", path, strerror(errno));
    return CONVOY_OK;
}

/* The folder that holds `path`, so that a rename can be synced too. */
static void sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        snprintf(folder, sizeof folder, ".");
    else
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - path + 1), path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd); /* some file systems refuse this: the file itself is synced already */
        close(fd);
    }
}

/* mkstemp makes the file private; give it the mode that a plain open would have given. */
static void apply_umask(int fd)
{
    mode_t mask = umask(0);
    umask(mask);
    (void)fchmod(fd, 0666 & ~mask);
}

convoy_status file_write(const char *path, const void *data, size_t size, convoy_error *err)
{
    char temporary[PATH_MAX];
    if (file_is_folder(path))
        return base_fail(err, CONVOY_ERROR_FILE, "%s: is a folder; name a file", path);
    int n = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof temporary)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: the path is too long", path);
    int fd = mkstemp(temporary);
    if (fd < 0)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: can't write there: %s", path, strerror(errno));
    apply_umask(fd);
    convoy_status status = write_all(fd, path, data, size, err);
    if (close(fd) != 0 && status == CONVOY_OK)
        status = base_fail(err, CONVOY_ERROR_FILE, "%s: can't write: %s", path, strerror(errno));
    if (status == CONVOY_OK && rename(temporary, path) != 0)
        status = base_fail(err, CONVOY_ERROR_FILE, "%s: can't rename into place: %s", path, strerror(errno));
    if (status != CONVOY_OK)
        unlink(temporary);
    else
        sync_folder_of(path);
    return status;
}

convoy_status file_make_folder(const char *path, convoy_error *err)
{
    char part[PATH_MAX];
    int n = snprintf(part, sizeof part, "%s", path);
    if (n < 0 || (size_t)n >= sizeof part)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: the path is too long", path);
    for (char *p = part + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char kept = *p;
        *p = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return base_fail(err, CONVOY_ERROR_FILE, "%s: can't make the folder: %s", part, strerror(errno));
        *p = kept;
        if (kept == '\0')
            break;
    }
    if (!file_is_folder(path))
        return base_fail(err, CONVOY_ERROR_FILE, "%s: is not a folder", path);
    return CONVOY_OK;
}
