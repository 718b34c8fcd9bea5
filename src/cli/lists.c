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

/* A text around such a list, folded. */
static const char *sentence(char *out, size_t size, size_t width, const char *before, const char *(*at)(size_t i), const char *after)
{
    char list[1536];
    snprintf(out, size, "%s%s%s", before, choice(list, sizeof list, at), after);
    return fold(out, width);
}

const char *cli_optimizer_help(void)
{
    static char out[512];
    return sentence(out, sizeof out, CLI_HELP_WIDTH, "", convoy_optimizer_name,
                    ", with options as in Keras: 'adamw(weight_decay=0.01, clipnorm=1)' (default: that of the .keras file, else adam)");
}

const char *cli_loss_help(void)
{
    static char out[2048];
    return sentence(out, sizeof out, CLI_HELP_WIDTH, "", convoy_loss_name,
                    ", or a short name like mse, with options as in Keras: 'CategoricalCrossentropy(from_logits=True, "
                    "label_smoothing=0.1)' (default: that of the file; else what the model's end calls for)");
}

const char *cli_metric_help(void)
{
    static char out[2048];
    return sentence(out, sizeof out, CLI_HELP_WIDTH, "", convoy_metric_name,
                    ", with options as in Keras, commas between several: 'accuracy, Precision(class_id=3)' (default: those of the file, "
                    "else accuracy)");
}

const char *cli_described_help(void)
{
    static char out[256];
    return sentence(out, sizeof out, CLI_HELP_WIDTH, "only show what would be chosen for ", convoy_described_gpu, "");
}

const char *cli_models(void)
{
    static char out[1024];
    return sentence(out, sizeof out, CLI_TEXT_WIDTH,
                    "MODEL is a .keras file, a .h5 file of Keras, the model.json of a TensorFlow.js layers model, a Keras JSON config "
                    "or a built-in name: ", convoy_builtin_name,
                    "; with options in brackets: 'resnet20(input_shape=(64, 64, 3), classes=100, augment=True)'.");
}

const char *cli_data(void)
{
    static char out[1024];
    char list[512];
    snprintf(out, sizeof out, "DATA is %sthe built-in name sample, or a name that 'convoy fetch' knows, once it (or Keras) has got it.",
             names(list, sizeof list, convoy_dataset_form));
    return fold(out, CLI_TEXT_WIDTH);
}
