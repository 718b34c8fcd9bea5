/* What the tests of the data room share: a fresh folder for each test, files in it, data sets opened and refused. */
#ifndef DATA_HELP_H
#define DATA_HELP_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/text.h"
#include "convoy/dataset.h"

/* A sanitizer keeps what is freed, and ends the process where memory can't be had. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

static char folder[PATH_MAX]; /* a fresh one for each test */

static convoy_dataset_options how; /* what opened and refused open with; zeros before each test */

static inline int set_up(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/convoy_data.XXXXXX", base == NULL || base[0] == '\0' ? "/tmp" : base);
    unsetenv("CONVOY_DATA_DIR");
    how = (convoy_dataset_options){0};
    if (mkdtemp(folder) == NULL)
        return 1;
    char cache[PATH_MAX + 16]; /* hidden, so that it is no class of images */
    snprintf(cache, sizeof cache, "%s/.cache", folder);
    return setenv("XDG_CACHE_HOME", cache, 1);
}

static inline int tear_down(void **state)
{
    (void)state;
    char command[PATH_MAX + 16];
    if (getuid() == 0 && seteuid(0) != 0) /* test_unreadable gave it up */
        return 1;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* The path of a name in the test's folder; each call's text lives for the next three. */
static inline const char *at(const char *name)
{
    static char paths[4][PATH_MAX + 600];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline void put(const char *name, const void *bytes, size_t size)
{
    convoy_error err = {0};
    if (file_write(at(name), bytes, size, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
}

static inline void put_text(const char *name, text *t)
{
    assert_false(t->failed);
    put(name, t->data, t->length);
    text_free(t);
}

static inline convoy_dataset *opened(const char *data, const char *part)
{
    convoy_dataset *set = NULL;
    convoy_error err = {0};
    if (convoy_dataset_open_with(data, part, &how, &set, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    assert_non_null(set);
    return set;
}

/* Opening must fail with `status` and a message that holds every one of the texts (ended by NULL). */
static inline void refused(const char *data, const char *part, convoy_status status, ...)
{
    convoy_dataset *set = NULL;
    convoy_error err = {0};
    assert_int_equal(convoy_dataset_open_with(data, part, &how, &set, &err), status);
    assert_null(set);
    assert_int_equal(err.status, status);
    assert_int_equal(convoy_dataset_open_with(data, part, &how, &set, NULL), status);
    va_list args;
    va_start(args, status);
    for (const char *text; (text = va_arg(args, const char *)) != NULL;)
        if (strstr(err.message, text) == NULL)
            fail_msg("\"%s\" is not in: %s", text, err.message);
    va_end(args);
}

/* What /proc/self/status says of "VmHWM:" or the like, in bytes. */
static inline size_t own_memory(const char *field)
{
    char text[128];
    unsigned long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(text, sizeof text, f) != NULL)
        if (strncmp(text, field, strlen(field)) == 0)
            kib = strtoul(text + strlen(field), NULL, 10);
    if (f != NULL)
        fclose(f);
    return (size_t)kib << 10;
}

#endif
