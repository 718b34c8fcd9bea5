/* What Keras's CSVLogger wrote: a line of names, then a line for each epoch. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/run.h"

#define MOST_COLUMNS 64

static const struct {
    const char *name;
    size_t offset;
} known[] = {
    {"epoch", offsetof(history_row, epoch)},
    {"accuracy", offsetof(history_row, accuracy)},
    {"loss", offsetof(history_row, loss)},
    {"val_accuracy", offsetof(history_row, val_accuracy)},
    {"val_loss", offsetof(history_row, val_loss)},
};
#define KNOWN (sizeof known / sizeof *known)

/* Which of the known values each column holds; KNOWN: another. */
typedef struct columns {
    size_t count, what[MOST_COLUMNS];
} columns;

static convoy_status read_header(const char *line, size_t length, columns *out, convoy_error *err)
{
    bool has_epoch = false;
    *out = (columns){0};
    for (const char *at = line, *end = line + length; at <= end; out->count++) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t size = (size_t)((comma ? comma : end) - at), k = 0;
        if (out->count == MOST_COLUMNS)
            return base_fail(err, CONVOY_ERROR_FORMAT, "more than %d columns", MOST_COLUMNS);
        while (k < KNOWN && !(strlen(known[k].name) == size && memcmp(known[k].name, at, size) == 0))
            k++;
        has_epoch |= k == 0;
        out->what[out->count] = k;
        at = (comma ? comma : end) + 1;
    }
    if (has_epoch)
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_FORMAT, "line 1: no column \"epoch\"; a file as Keras's CSVLogger writes it is expected");
}

/* A number, nan and inf among them; NA and nothing at all: not known. */
static bool read_value(const char *at, size_t size, double *out)
{
    char field[64], *behind;
    *out = NAN;
    if (size == 0 || (size == 2 && memcmp(at, "NA", 2) == 0))
        return true;
    if (size >= sizeof field || isspace((unsigned char)*at))
        return false;
    memcpy(field, at, size);
    field[size] = '\0';
    *out = strtod(field, &behind);
    return *behind == '\0';
}

static convoy_status read_row(const char *line, size_t length, const columns *c, size_t number, history_row *out,
                              convoy_error *err)
{
    size_t column = 0;
    *out = (history_row){NAN, NAN, NAN, NAN, NAN};
    for (const char *at = line, *end = line + length; at <= end; column++) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t size = (size_t)((comma ? comma : end) - at);
        double value;
        if (column < c->count && c->what[column] < KNOWN) {
            if (!read_value(at, size, &value))
                return base_fail(err, CONVOY_ERROR_FORMAT, "line %zu: '%.*s' is no number", number, size < 40 ? (int)size : 40, at);
            *(double *)(void *)((char *)out + known[c->what[column]].offset) = value;
        }
        at = (comma ? comma : end) + 1;
    }
    if (column == c->count && isfinite(out->epoch))
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_FORMAT, "line %zu: %zu values%s; %zu are expected, one of them the epoch's number", number,
                     column, isfinite(out->epoch) ? "" : ", no epoch", c->count);
}

convoy_status history_parse(const char *csv, history *out, convoy_error *err)
{
    columns c = {0};
    size_t capacity = 0, number = 1;
    *out = (history){0};
    for (const char *line = csv; *line != '\0'; number++) {
        size_t whole = strcspn(line, "\n"), length = whole - (whole > 0 && line[whole - 1] == '\r');
        convoy_status status = CONVOY_OK;
        if (out->count == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            history_row *rows = realloc(out->rows, capacity * sizeof *rows);
            if (rows == NULL)
                return OUT_OF_MEMORY(err); /* who opened the run frees what there is */
            out->rows = rows;
        }
        if (number == 1)
            status = read_header(line, length, &c, err);
        else if (length > 0) {
            status = read_row(line, length, &c, number, &out->rows[out->count], err);
            out->count += status == CONVOY_OK;
        }
        TRY(status);
        line += whole + (line[whole] == '\n');
    }
    return CONVOY_OK;
}
