#include "cli/train_callbacks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text between quotes, as options are written. */
static void put_quoted(FILE *out, const char *word)
{
    fputc('\'', out);
    for (; *word != '\0'; word++) {
        if (*word == '\'' || *word == '\\')
            fputc('\\', out);
        fputc(*word, out);
    }
    fputc('\'', out);
}

/* keyword='word', when there is a word and `given` does not say so already. */
static void put_option(FILE *out, const char *keyword, const char *word, const char *given)
{
    if (word == NULL || strstr(given, keyword) != NULL)
        return;
    fprintf(out, "%s=", keyword);
    put_quoted(out, word);
    fputs(", ", out);
}

static FILE *begin(train_callbacks *c, int *count)
{
    size_t size;
    FILE *out = open_memstream(&c->owned[*count], &size);
    if (out != NULL)
        ++*count;
    return out;
}

/* A callback that watches a value; `given` are the user's own options. */
static bool watching(train_callbacks *c, int *count, const char *class, const char *path, const char *given, bool quiet)
{
    FILE *out = begin(c, count);
    if (out == NULL)
        return false;
    fprintf(out, "%s(", class);
    put_option(out, "filepath", path, given);
    put_option(out, "monitor", c->monitor, given);
    if (!quiet && strstr(given, "verbose") == NULL)
        fputs("verbose=1, ", out);
    fprintf(out, "%s)", given);
    return fclose(out) == 0;
}

static bool writing(train_callbacks *c, int *count, const char *class, const char *keyword, const char *path,
                    const char *rest)
{
    FILE *out = begin(c, count);
    if (out == NULL)
        return false;
    fprintf(out, "%s(", class);
    put_option(out, keyword, path, "");
    fprintf(out, "%s)", rest);
    return fclose(out) == 0;
}

/* Reducing comes first: those behind it then know the rate. */
static bool make_all(train_callbacks *c, bool quiet, int *count)
{
    bool good = true;
    if (c->reduce_lr)
        good = good && watching(c, count, "ReduceLROnPlateau", NULL, c->reduce_lr, quiet);
    if (c->early_stopping)
        good = good && watching(c, count, "EarlyStopping", NULL, c->early_stopping, quiet);
    if (c->checkpoint) /* each epoch's saving is not worth a line */
        good = good && watching(c, count, "ModelCheckpoint", c->checkpoint, c->save_best_only ? "save_best_only=True" : "",
                                quiet || !c->save_best_only);
    if (c->csv_log)
        good = good && writing(c, count, "CSVLogger", "filename", c->csv_log, c->csv_append ? "append=True" : "");
    if (c->tensorboard)
        good = good && writing(c, count, "TensorBoard", "log_dir", c->tensorboard,
                               convoy_images_supported() ? "histogram_freq=1, write_images=True" : "histogram_freq=1");
    if (c->terminate_on_nan)
        good = good && writing(c, count, "TerminateOnNaN", "", NULL, "");
    return good;
}

int train_callbacks_make(train_callbacks *c, bool quiet)
{
    int count = 0;
    if (c->save_best_only && c->checkpoint == NULL)
        return cli_usage("train", "--save-best-only goes with --checkpoint FILE");
    if (c->csv_append && c->csv_log == NULL)
        return cli_usage("train", "--csv-append goes with --csv-log FILE");
    if (!make_all(c, quiet, &count)) {
        cli_say("out of host memory");
        return CLI_FAILED;
    }
    for (int i = 0; i < count; i++)
        c->texts[i] = c->owned[i];
    return CLI_RUN;
}

void train_callbacks_free(train_callbacks *c)
{
    for (int i = 0; i < TRAIN_MOST_CALLBACKS; i++)
        free(c->owned[i]);
}
