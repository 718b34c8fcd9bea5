/* Unpacks what is known to be in an archive, by libarchive, and refuses everything else. The digest has been compared
 * before: this is the second lock on the door, and the only one should a digest ever be forged (md5 is old). */
#include <archive.h>
#include <archive_entry.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/data.h"
#include "data/fetch.h"

#define BLOCK ((size_t)1 << 18)

typedef struct unpacking {
    const fetch_run *run;
    const fetch_part *part;
    const char *path; /* of the archive */
    struct archive *archive;
    bool folder_seen, seen[FETCH_MOST_FILES];
    uint64_t done, total; /* bytes unpacked */
    char block[BLOCK];
    convoy_error *err;
} unpacking;

static convoy_status refuse(const unpacking *u, const char *entry, const char *why)
{
    char shown[101]; /* a name goes to terminals: no control characters */
    size_t i = 0;
    for (; entry[i] != '\0' && i + 1 < sizeof shown; i++)
        shown[i] = isprint((unsigned char)entry[i]) ? entry[i] : '?';
    shown[i] = '\0';
    return base_fail(u->err, CONVOY_ERROR_FORMAT,
                     "%s: refused: its entry '%s' %s; nothing was unpacked from it, and it was removed", u->path, shown,
                     why);
}

static convoy_status damaged(const unpacking *u)
{
    const char *why = archive_error_string(u->archive);
    return base_fail(u->err, CONVOY_ERROR_FORMAT, "%s: damaged, or not what it should be: %s; it was removed", u->path,
                     why == NULL ? "no reason is known" : why);
}

static const char *type_name(mode_t type)
{
    switch (type) {
    case AE_IFLNK: return "is a symbolic link; plain files are expected";
    case AE_IFCHR:
    case AE_IFBLK: return "is a device; plain files are expected";
    case AE_IFIFO: return "is a pipe; plain files are expected";
    case AE_IFSOCK: return "is a socket; plain files are expected";
    case AE_IFDIR: return "is a folder that is not expected there";
    default: return "is of an unknown kind; plain files are expected";
    }
}

/* `name` without the tar ball's folder and the slash after it; NULL when it is not in that folder. */
static const char *inside(const char *name, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(name, folder, length) == 0 && name[length] == '/' ? name + length + 1 : NULL;
}

/* ---- one entry ---- */

static convoy_status write_block(const unpacking *u, int fd, const char *path, size_t count)
{
    for (size_t put = 0; put < count;) {
        ssize_t n = write(fd, u->block + put, count - put);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return base_fail(u->err, CONVOY_ERROR_FILE, "%s: can't write: %s", path, strerror(errno));
        put += (size_t)n;
    }
    return CONVOY_OK;
}

static convoy_status copy_data(unpacking *u, const fetch_file *file, const char *path, int fd)
{
    uint64_t size = 0;
    for (;;) {
        la_ssize_t n = archive_read_data(u->archive, u->block, BLOCK);
        if (n < 0)
            return damaged(u);
        if (n == 0)
            break;
        size += (uint64_t)n;
        if (size > file->size)
            return refuse(u, file->name, "is larger than published");
        TRY(write_block(u, fd, path, (size_t)n));
        u->done += (uint64_t)n;
        if (fetch_progress(u->run, "unpacking", u->part->name, u->done, u->total))
            return base_fail(u->err, CONVOY_ERROR_INTERRUPTED, "interrupted while unpacking; %s is kept", u->path);
    }
    if (size != file->size && !file->at_most)
        return refuse(u, file->name, "is smaller than published");
    return CONVOY_OK;
}

static convoy_status write_entry(unpacking *u, const fetch_file *file)
{
    char path[PATH_MAX];
    TRY(folder_join(path, u->run->unpacked, file->name, u->err));
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return base_fail(u->err, CONVOY_ERROR_FILE, "%s: can't write: %s", path, strerror(errno));
    convoy_status status = copy_data(u, file, path, fd);
    if (status == CONVOY_OK && fsync(fd) != 0)
        status = base_fail(u->err, CONVOY_ERROR_FILE, "%s: can't sync: %s", path, strerror(errno));
    if (close(fd) != 0 && status == CONVOY_OK)
        status = base_fail(u->err, CONVOY_ERROR_FILE, "%s: can't write: %s", path, strerror(errno));
    return status;
}

/* The tar ball's own folder, once. */
static bool is_own_folder(unpacking *u, const char *name, mode_t type)
{
    const char *rest = inside(name, u->part->folder);
    bool is_it = type == AE_IFDIR && (strcmp(name, u->part->folder) == 0 || (rest != NULL && *rest == '\0'));
    if (!is_it || u->folder_seen)
        return false;
    u->folder_seen = true;
    return true;
}

static convoy_status take_entry(unpacking *u, struct archive_entry *entry)
{
    const char *name = archive_entry_pathname(entry);
    mode_t type = archive_entry_filetype(entry);
    if (name == NULL)
        return refuse(u, "", "has no readable name");
    if (archive_entry_hardlink(entry) != NULL)
        return refuse(u, name, "is a link to another; plain files are expected");
    if (u->part->folder != NULL && is_own_folder(u, name, type))
        return CONVOY_OK;
    if (type != AE_IFREG)
        return refuse(u, name, type_name(type));
    /* Names are compared whole, so "/etc/passwd" and "../x" fall here. A compressed file has one entry, without name. */
    const char *wanted = u->part->folder == NULL ? u->part->files[0].name : inside(name, u->part->folder);
    for (size_t i = 0; wanted != NULL && u->part->files[i].name != NULL; i++) {
        const fetch_file *file = &u->part->files[i];
        if (strcmp(file->name, wanted) != 0)
            continue;
        if (u->seen[i])
            return refuse(u, name, "is there twice");
        u->seen[i] = true;
        if (archive_entry_size_is_set(entry) && (uint64_t)archive_entry_size(entry) > file->size)
            return refuse(u, name, "is larger than published");
        return write_entry(u, file);
    }
    return refuse(u, name, "is not one of the data set's files");
}

/* ---- the archive ---- */

static convoy_status take_entries(unpacking *u)
{
    struct archive_entry *entry;
    int code;
    while ((code = archive_read_next_header(u->archive, &entry)) == ARCHIVE_OK || code == ARCHIVE_WARN) {
        if (archive_filter_code(u->archive, 0) != ARCHIVE_FILTER_GZIP)
            return base_fail(u->err, CONVOY_ERROR_FORMAT, "%s: not compressed by gzip, as it should be; it was removed",
                             u->path);
        TRY(take_entry(u, entry));
    }
    if (code != ARCHIVE_EOF)
        return damaged(u);
    for (size_t i = 0; u->part->files[i].name != NULL; i++)
        if (!u->seen[i] && !u->part->files[i].optional)
            return base_fail(u->err, CONVOY_ERROR_FORMAT, "%s: the file %s is missing in it; it was removed", u->path,
                             u->part->files[i].name);
    return CONVOY_OK;
}

convoy_status fetch_unpack(const fetch_run *run, const fetch_part *part, const char *archive, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    unpacking *u = calloc(1, sizeof *u);
    struct archive *reader = archive_read_new();
    if (u == NULL || reader == NULL)
        TRY_GOTO(OUT_OF_MEMORY(err));
    u->run = run;
    u->part = part;
    u->path = archive;
    u->archive = reader;
    u->err = err;
    for (const fetch_file *file = part->files; file->name != NULL; file++)
        u->total += file->at_most ? 0 : file->size;
    archive_read_support_filter_gzip(reader);
    if (part->folder != NULL)
        archive_read_support_format_tar(reader);
    else
        archive_read_support_format_raw(reader);
    if (archive_read_open_filename(reader, archive, BLOCK) != ARCHIVE_OK)
        TRY_GOTO(damaged(u));
    status = take_entries(u);
done:
    archive_read_free(reader);
    free(u);
    return status;
}
