/* CSVLogger, after keras/src/callbacks/csv_logger.py: the same bytes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/python_number.h"
#include "train/callback.h"

typedef struct csv_logger {
    char filename[OPTION_TEXT_SIZE], separator[OPTION_TEXT_SIZE];
    bool append;
    /* the run's */
    FILE *file;
    bool has_header, has_validation;
    callback_logs keys; /* of the first epoch, in order; values unused */
} csv_logger;

#define AT(member) .offset = offsetof(csv_logger, member)
static const option options[] = {
    {.name = "filename", .kind = OPTION_TEXT, AT(filename)},
    {.name = "separator", .kind = OPTION_TEXT, AT(separator), .standard = "\",\""},
    {.name = "append", .kind = OPTION_BOOL, AT(append), .standard = "false"},
    {0}};

static convoy_status fail(const csv_logger *c, const char *what, convoy_error *err)
{
    return base_fail(err, CONVOY_ERROR_FILE, "%s: can't %s: %s", c->filename, what, strerror(errno));
}

static convoy_status check(void *state, convoy_error *err)
{
    const csv_logger *c = state;
    if (strlen(c->separator) != 1)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "CSVLogger: separator '%s'; one character is expected", c->separator);
    return CONVOY_OK;
}

static convoy_status begin(void *state, callback_run *run, convoy_error *err)
{
    csv_logger *c = state;
    (void)run;
    c->file = fopen(c->filename, c->append ? "ab" : "wb");
    if (c->file == NULL)
        return fail(c, "open", err);
    c->has_header = c->append && fseek(c->file, 0, SEEK_END) == 0 && ftell(c->file) > 0;
    return CONVOY_OK;
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); /* the name comes first in a row */ }

/* Without validation Keras writes columns for it all the same, with NA in them. */
static void choose_keys(csv_logger *c, const callback_logs *logs)
{
    c->keys = *logs;
    qsort(c->keys.row, (size_t)c->keys.count, sizeof c->keys.row[0], by_name);
    for (int i = 0; i < c->keys.count; i++)
        c->has_validation |= strncmp(c->keys.row[i].name, "val_", 4) == 0;
}

void callback_csv_header(const callback_logs *keys, const char *separator, bool twice, text *out)
{
    text_add(out, "epoch");
    for (int validation = 0; validation < (twice ? 2 : 1); validation++)
        for (int i = 0; i < keys->count; i++)
            text_add(out, "%s%s%s", separator, validation ? "val_" : "", keys->row[i].name);
    text_add(out, "\r\n");
}

void callback_csv_row(int epoch, const callback_logs *keys, const callback_logs *logs, const char *separator, bool twice,
                      text *out)
{
    char number[PYTHON_NUMBER_SIZE];
    text_add(out, "%d", epoch);
    for (int i = 0; i < keys->count; i++) {
        const double *value = callback_logs_find(logs, keys->row[i].name);
        text_add(out, "%s%s", separator, value ? python_repr(*value, number) : "NA");
    }
    for (int i = 0; twice && i < keys->count; i++)
        text_add(out, "%sNA", separator);
    text_add(out, "\r\n");
}

static convoy_status epoch_end(void *state, callback_run *run, int epoch, callback_logs *logs, convoy_error *err)
{
    csv_logger *c = state;
    text t = {0};
    char *lines;
    (void)run;
    if (c->keys.count == 0)
        choose_keys(c, logs);
    if (!c->has_header)
        callback_csv_header(&c->keys, c->separator, !c->has_validation, &t);
    c->has_header = true;
    callback_csv_row(epoch, &c->keys, logs, c->separator, !c->has_validation, &t);
    TRY(text_take(&t, &lines, err));
    fputs(lines, c->file);
    free(lines);
    return fflush(c->file) == 0 && !ferror(c->file) ? CONVOY_OK : fail(c, "write", err);
}

static void destroy(void *state)
{
    csv_logger *c = state;
    if (c->file != NULL)
        fclose(c->file);
}

const callback_class csv_logger_callback = {.name = "CSVLogger",
                                            .state_size = sizeof(csv_logger),
                                            .options = options,
                                            .check = check,
                                            .begin = begin,
                                            .epoch_end = epoch_end,
                                            .destroy = destroy};
