#include "cli/objective_flags.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/shape.h"

/* The end of what stands before the next comma that is not inside of brackets or quotes. */
static char *find_end(char *at)
{
    int depth = 0;
    char quote = '\0';
    for (; *at != '\0'; at++) {
        if (quote != '\0')
            quote = *at == quote ? '\0' : quote;
        else if (*at == '\'' || *at == '"')
            quote = *at;
        else if (strchr("([{", *at) != NULL)
            depth++;
        else if (strchr(")]}", *at) != NULL)
            depth--;
        else if (*at == ',' && depth <= 0)
            break;
    }
    return at;
}

int objective_flags_split(objective_flags *o)
{
    size_t count = 0;
    if (o->metrics == NULL)
        return CLI_RUN;
    o->owned = strdup(o->metrics);
    if (o->owned == NULL) {
        cli_say("out of host memory");
        return CLI_FAILED;
    }
    for (char *at = o->owned, *end; count < CONVOY_MOST_METRICS + 1; at = end + 1) {
        end = find_end(at);
        bool last = *end == '\0';
        *end = '\0';
        while (isspace((unsigned char)*at))
            at++;
        if (*at != '\0')
            o->list[count++] = at;
        if (last)
            break;
    }
    return CLI_RUN;
}

int objective_flags_load(objective_flags *o, size_t images)
{
    convoy_error err = {0};
    convoy_shape shape = {0};
    size_t count = 0;
    if (o->sample_weight == NULL)
        return CLI_RUN;
    if (convoy_npy_read(o->sample_weight, &o->weights, &count, &shape, &err) != CONVOY_OK)
        return cli_report(&err);
    size_t each = shape_count(&shape);
    if (count == images && each == 1)
        return CLI_RUN;
    cli_say("%s: %zu rows of %zu number%s; one number for each of the %zu images is expected", o->sample_weight, count, each,
            each == 1 ? "" : "s", images);
    return CLI_FAILED;
}

void objective_flags_free(objective_flags *o)
{
    free(o->owned);
    free(o->weights);
}

const char *const *objective_flags_metrics(const objective_flags *o) { return o->list[0] != NULL ? o->list : NULL; }
