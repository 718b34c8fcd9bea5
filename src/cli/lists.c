/* Help texts with lists of what there is, from the tables that read it: a new row is in them. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* Each with this behind: "a, b, ". */
static const char *names(char *out, size_t size, const char *(*at)(size_t i))
{
    size_t used = 0;
    for (size_t i = 0; at(i) != NULL && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s, ", at(i));
    return out;
}

/* The same as an end of a list: "a, b or c". */
static const char *choice(char *out, size_t size, const char *(*at)(size_t i))
{
    size_t used = 0;
    for (size_t i = 0; at(i) != NULL && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i == 0 ? "" : at(i + 1) ? ", " : " or ", at(i));
    return out;
}

/* Breaks its lines where they would be longer than `width`. */
static const char *fold(char *text, size_t width)
{
    char *line = text, *space = NULL;
    for (char *c = text; *c != '\0'; c++) {
        if (*c == ' ')
            space = c;
        if (*c == '\n' || ((size_t)(c - line) >= width && space != NULL)) {
            line = (*c == '\n' ? c : space) + 1;
            line[-1] = '\n';
            space = NULL;
        }
    }
    return text;
}

const char *cli_data_help(void)
{
    static char out[512];
    char list[384];
    snprintf(out, sizeof out, "%sor sample", names(list, sizeof list, convoy_dataset_form));
    return fold(out, CLI_HELP_WIDTH);
}

const char *cli_optimizer_help(void)
{
    static char out[512];
    char list[256];
    snprintf(out, sizeof out, "%s, with options as in Keras: 'adamw(weight_decay=0.01, clipnorm=1)' (default: that of the .keras file, else "
             "adam)", choice(list, sizeof list, convoy_optimizer_name));
    return fold(out, CLI_HELP_WIDTH);
}

const char *cli_loss_help(void)
{
    static char out[2048];
    char list[1536];
    snprintf(out, sizeof out, "%s, or a short name like mse, with options as in Keras: 'CategoricalCrossentropy(from_logits=True, "
             "label_smoothing=0.1)' (default: that of the file; else what the model's end calls for)",
             choice(list, sizeof list, convoy_loss_name));
    return fold(out, CLI_HELP_WIDTH);
}

const char *cli_metric_help(void)
{
    static char out[2048];
    char list[1536];
    snprintf(out, sizeof out, "%s, with options as in Keras, commas between several: 'accuracy, Precision(class_id=3)' (default: those of "
             "the file, else accuracy)", choice(list, sizeof list, convoy_metric_name));
    return fold(out, CLI_HELP_WIDTH);
}

const char *cli_described_help(void)
{
    static char out[256];
    char list[160];
    snprintf(out, sizeof out, "only show what would be chosen for %s", choice(list, sizeof list, convoy_described_gpu));
    return fold(out, CLI_HELP_WIDTH);
}

const char *cli_models(void)
{
    static char out[1024];
    char list[512];
    snprintf(out, sizeof out, "MODEL is a .keras file, a .h5 file of Keras, the model.json of a TensorFlow.js layers model, a Keras JSON config "
             "or a built-in name: %s; with options in brackets: 'resnet20(input_shape=(64, 64, 3), classes=100, augment=True)'.",
             choice(list, sizeof list, convoy_builtin_name));
    return fold(out, CLI_TEXT_WIDTH);
}

const char *cli_data(void)
{
    static char out[1024];
    char list[512];
    snprintf(out, sizeof out, "DATA is %sthe built-in name sample, or a name that 'convoy fetch' knows, once it (or Keras) has got it.",
             names(list, sizeof list, convoy_dataset_form));
    return fold(out, CLI_TEXT_WIDTH);
}
