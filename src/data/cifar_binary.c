/* The binary version of CIFAR-10 and CIFAR-100: records of a label (CIFAR-100: coarse, then fine) and then the 32x32 planes
 * of R, G, B, row by row; class names in a text file. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "data/cifar.h"

#define BLOCK ((size_t)256) /* records that are read at once */
#define NAMES_LIMIT ((size_t)1 << 16)
#define NAME_LENGTH 64

static convoy_status check_size(const cifar_form *form, const char *path, const uint8_t head[2], size_t size,
                                convoy_error *err)
{
    size_t record = (size_t)form->label_bytes + CIFAR_PIXELS;
    if (size == 0)
        return base_fail(err, CONVOY_ERROR_FORMAT,
                         "%s: empty; records of %zu bytes (%s and a 32x32 RGB image) are expected", path, record,
                         form->label_bytes == 1 ? "a label" : "two labels");
    if (size >= 2 && head[0] == 0x1f && head[1] == 0x8b)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: compressed (gzip); unpack it and give the folder", path);
    if (size % record != 0)
        return base_fail(err, CONVOY_ERROR_FORMAT,
                         "%s: truncated, or not a %s binary file: %zu bytes are %zu records of %zu bytes and "
                         "%zu bytes more; fetch it again",
                         path, form->title, size, size / record, record, size % record);
    return CONVOY_OK;
}

/* A file that is being read. */
typedef struct source {
    const cifar_form *form;
    const char *path;
    int file;
    size_t size, record; /* bytes: of the file, and of an image with its labels */
} source;

static convoy_status check_label(const source *s, size_t index, int label, convoy_error *err)
{
    if (label < s->form->classes)
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_FORMAT,
                     "%s: record %zu of %zu (at byte %zu) has the label %d; 0 to %d are expected: the file is "
                     "damaged or not a %s binary file",
                     s->path, index + 1, s->size / s->record, index * s->record, label, s->form->classes - 1,
                     s->form->title);
}

void cifar_interleave(const uint8_t *planes, uint8_t *pixels)
{
    for (int i = 0; i < CIFAR_PLANE; i++)
        for (int c = 0; c < CIFAR_CHANNELS; c++)
            pixels[i * CIFAR_CHANNELS + c] = planes[c * CIFAR_PLANE + i];
}

static convoy_status append_block(const source *s, size_t first, size_t count, uint8_t *block, convoy_dataset *data,
                                  convoy_error *err)
{
    TRY(file_read_at(s->file, s->path, first * s->record, block, count * s->record, err));
    for (size_t i = 0; i < count; i++) {
        const uint8_t *at = block + i * s->record;
        int label = at[s->form->label_at];
        TRY(check_label(s, first + i, label, err));
        data->labels[data->count] = label;
        cifar_interleave(at + s->form->label_bytes, data->images + data->count * CIFAR_PIXELS);
        data->count++;
    }
    return CONVOY_OK;
}

static convoy_status append_all(const source *s, convoy_dataset *data, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    uint8_t head[2] = {0}, *block = NULL;
    size_t count = s->size / s->record;
    TRY(file_read_at(s->file, s->path, 0, head, s->size < sizeof head ? s->size : sizeof head, err));
    TRY(check_size(s->form, s->path, head, s->size, err));
    TRY(dataset_reserve(data, count, err));
    block = malloc(BLOCK * s->record);
    if (block == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < count && status == CONVOY_OK; i += BLOCK)
        status = append_block(s, i, count - i < BLOCK ? count - i : BLOCK, block, data, err);
    free(block);
    return status;
}

convoy_status cifar_binary_append(const cifar_form *form, const char *path, convoy_dataset *data, convoy_error *err)
{
    source s = {.form = form, .path = path, .record = (size_t)form->label_bytes + CIFAR_PIXELS};
    TRY(file_open(path, DATA_FILE_LIMIT, &s.file, &s.size, err));
    convoy_status status = append_all(&s, data, err);
    close(s.file);
    return status;
}

convoy_status cifar_check_name(const char *path, const char *name, size_t length, int line, convoy_error *err)
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
static convoy_status split_names(const char *path, char *text, size_t size, int classes, const char **names,
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
        TRY(cifar_check_name(path, text + first, last - first, line, err));
        if (found < classes)
            names[found] = text + first;
        found++;
        text[last] = '\0'; /* at `size` stands file_read's own NUL */
    }
    if (found != classes)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: %d class names; %d are expected, one a line", path, found,
                         classes);
    return CONVOY_OK;
}

convoy_status cifar_binary_names(const cifar_form *form, const char *path, convoy_dataset *data, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    char *text = NULL;
    size_t size = 0;
    const char *names[CIFAR_MOST_CLASSES];
    TRY_GOTO(file_read(path, NAMES_LIMIT, &text, &size, err));
    TRY_GOTO(split_names(path, text, size, form->classes, names, err));
    TRY_GOTO(dataset_set_names(data, names, err));
done:
    free(text);
    return status;
}
