/* The binary version of CIFAR-10: records of 3073 bytes, a label and then the 32x32 planes of R, G, B, row by row. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/data.h"

#define PLANE (CIFAR_SIDE * CIFAR_SIDE)
#define CHANNELS 3
#define RECORD (1 + CHANNELS * PLANE)
#define FILE_LIMIT ((size_t)1 << 30)  /* 35 times a CIFAR-10 batch: beyond it, this is some other file */
#define NAMES_LIMIT ((size_t)1 << 16)
#define NAME_LENGTH 64

static const char *const cifar10_names[CIFAR_CLASSES] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                                         "dog",      "frog",       "horse", "ship", "truck"};

static convoy_status check_size(const char *path, const uint8_t *bytes, size_t size, convoy_error *err)
{
    if (size == 0)
        return base_fail(err, CONVOY_ERROR_FORMAT,
                         "%s: empty; records of %d bytes (a label and a 32x32 RGB image) are expected", path, RECORD);
    if (size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: compressed (gzip); unpack it and give the folder", path);
    if (size % RECORD != 0)
        return base_fail(err, CONVOY_ERROR_FORMAT,
                         "%s: truncated, or not a CIFAR-10 binary file: %zu bytes are %zu records of %d bytes and "
                         "%zu bytes more; fetch it again",
                         path, size, size / RECORD, RECORD, size % RECORD);
    return CONVOY_OK;
}

static convoy_status check_labels(const char *path, const uint8_t *bytes, size_t count, convoy_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i * RECORD] >= CIFAR_CLASSES)
            return base_fail(err, CONVOY_ERROR_FORMAT,
                             "%s: record %zu of %zu (at byte %zu) has the label %d; 0 to %d are expected: the file is "
                             "damaged or not a CIFAR-10 binary file",
                             path, i + 1, count, i * RECORD, bytes[i * RECORD], CIFAR_CLASSES - 1);
    return CONVOY_OK;
}

/* One record's planes to interleaved pixels. */
static void interleave(const uint8_t *planes, uint8_t *pixels)
{
    for (int i = 0; i < PLANE; i++)
        for (int c = 0; c < CHANNELS; c++)
            pixels[i * CHANNELS + c] = planes[c * PLANE + i];
}

convoy_status cifar_append(const char *path, convoy_dataset *data, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    char *text = NULL;
    size_t size = 0;
    TRY_GOTO(file_read(path, FILE_LIMIT, &text, &size, err));
    const uint8_t *bytes = (const uint8_t *)text;
    size_t count = size / RECORD;
    TRY_GOTO(check_size(path, bytes, size, err));
    TRY_GOTO(check_labels(path, bytes, count, err));
    TRY_GOTO(dataset_reserve(data, count, err));
    for (size_t i = 0; i < count; i++) {
        const uint8_t *record = bytes + i * RECORD;
        data->labels[data->count] = record[0];
        interleave(record + 1, data->images + data->count * (CHANNELS * PLANE));
        data->count++;
    }
done:
    free(text);
    return status;
}

/* A name goes to terminals and reports: of a sane length and without control characters. */
static convoy_status check_name(const char *path, const char *name, size_t length, int line, convoy_error *err)
{
    if (length > NAME_LENGTH)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: the name in line %d has %zu bytes; at most %d are expected",
                         path, line, length, NAME_LENGTH);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return base_fail(err, CONVOY_ERROR_FORMAT,
                             "%s: line %d holds the control character 0x%02x; plain class names, one a line, are "
                             "expected",
                             path, line, (unsigned char)name[i]);
    return CONVOY_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts `text` into trimmed, NUL-terminated names; empty lines do not count. */
static convoy_status split_names(const char *path, char *text, size_t size, const char *names[CIFAR_CLASSES],
                                 convoy_error *err)
{
    int found = 0, line = 0;
    for (size_t start = 0, end; start < size; start = end + 1) {
        const char *newline = memchr(text + start, '\n', size - start);
        end = newline == NULL ? size : (size_t)(newline - text);
        size_t first = start, last = end;
        while (first < last && is_blank(text[first]))
            first++;
        while (last > first && is_blank(text[last - 1]))
            last--;
        line++;
        if (first == last)
            continue;
        TRY(check_name(path, text + first, last - first, line, err));
        if (found < CIFAR_CLASSES)
            names[found] = text + first;
        found++;
        text[last] = '\0'; /* at `size` stands file_read's own NUL */
    }
    if (found != CIFAR_CLASSES)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: %d class names; %d are expected, one a line", path, found,
                         CIFAR_CLASSES);
    return CONVOY_OK;
}

convoy_status cifar_read_names(const char *folder, bool is_cifar, convoy_dataset *data, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    char path[PATH_MAX], *text = NULL;
    size_t size = 0;
    const char *names[CIFAR_CLASSES];
    int n = snprintf(path, sizeof path, "%s/batches.meta.txt", folder);
    if (n < 0 || (size_t)n >= sizeof path)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: the path is too long", folder);
    if (!file_exists(path))
        return is_cifar ? dataset_set_names(data, cifar10_names, err) : CONVOY_OK;
    TRY_GOTO(file_read(path, NAMES_LIMIT, &text, &size, err));
    TRY_GOTO(split_names(path, text, size, names, err));
    TRY_GOTO(dataset_set_names(data, names, err));
done:
    free(text);
    return status;
}
