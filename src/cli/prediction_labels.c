/* Of a model that gives a class for each pixel: the image of labels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/predictions.h"

bool label_image_size(const convoy_model *model, int *height, int *width)
{
    convoy_shape out = convoy_model_output(model), in = convoy_model_input(model);
    bool flat = out.rank == 2 && in.rank == 3 && out.dim[0] == in.dim[0] * in.dim[1];
    *height = flat ? in.dim[0] : out.dim[0];
    *width = flat ? in.dim[1] : out.dim[1];
    return flat || out.rank == 3;
}

int label_image_check_place(const char *place, bool one_image)
{
    if (place == NULL || cli_is_folder(place))
        return CLI_RUN;
    if (!one_image)
        return cli_usage("predict", "--output %s is no folder: the labels of several images need one", place);
    return cli_check_output(place, ".png");
}

/* "photos/cat.jpg" becomes "cat.labels.png", in the folder that was named. False: too long. */
static bool choose_path(const predictions *p, const char *path, char *out, size_t size)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    int stem = dot != NULL && dot != name ? (int)(dot - name) : (int)strlen(name), n;
    bool folder = p->place != NULL && cli_is_folder(p->place);
    if (p->place != NULL && !folder)
        n = snprintf(out, size, "%s", p->place);
    else
        n = snprintf(out, size, "%s%s%.*s.labels.png", folder ? p->place : "", folder ? "/" : "", stem, name);
    return n >= 0 && (size_t)n < size;
}

/* A second image of the same name must not take the first one's place. */
static int claim_path(predictions *p, const char *path, const char *chosen)
{
    for (size_t i = 0; i < p->written_count; i++)
        if (strcmp(p->written[i], chosen) == 0) {
            cli_say("%s: %s has the labels of another image already; predict them one by one, with --output", path, chosen);
            return CLI_FAILED;
        }
    char **grown = realloc(p->written, (p->written_count + 1) * sizeof *grown);
    if (grown != NULL) {
        p->written = grown;
        grown[p->written_count] = strdup(chosen);
    }
    if (grown == NULL || grown[p->written_count] == NULL) {
        cli_say("out of host memory");
        return CLI_FAILED;
    }
    p->written_count++;
    return CLI_RUN;
}

int label_image_write(predictions *p, const char *path, const float *outputs, label_image *out)
{
    const convoy_outputs *o = &p->outputs;
    convoy_error err = {0};
    int height, width;
    if (!choose_path(p, path, out->path, sizeof out->path)) {
        cli_say("%.60s...: the path is too long", path);
        return CLI_FAILED;
    }
    int code = claim_path(p, path, out->path);
    if (code != CLI_RUN)
        return code;
    uint8_t *labels = malloc(o->pixels);
    out->shares = calloc((size_t)o->classes, sizeof *out->shares);
    if (labels == NULL || out->shares == NULL) {
        free(labels);
        cli_say("out of host memory");
        return CLI_FAILED;
    }
    for (size_t i = 0; i < o->pixels; i++) {
        labels[i] = (uint8_t)convoy_outputs_class(o, outputs + i * (size_t)o->values);
        out->shares[labels[i]] += 1.0f;
    }
    for (int c = 0; c < o->classes; c++)
        out->shares[c] /= (float)o->pixels;
    if (label_image_size(p->model, &height, &width) &&
        convoy_image_write_labels(out->path, labels, height, width, o->classes, &err) != CONVOY_OK)
        code = cli_report(&err);
    free(labels);
    return code;
}
