/* Which variant runs: records first, then the rows in their order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/conv2d/variant.h"

static const conv_variant *const tables[] = {conv_gemm_variants, conv_pointwise_variants, conv_images_variants, conv_vec_variants,
                                             conv_vec_filter_variants, conv_winograd_variants,
                                             conv_winograd_adjoint_variants, conv_winograd_filter_variants,
                                             conv_tile_variants, conv_groups_variants, conv_plain_variants};

const conv_variant *conv_variant_at(size_t i)
{
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const conv_variant *v = tables[t]; v->name; v++)
            if (i-- == 0)
                return v;
    return NULL;
}

bool conv_choice_fits(const convoy_context *ctx, const conv_problem *p, const conv_choice *choice)
{
    const conv_variant *v = choice->variant;
    return v->pass == p->pass && v->grouped == (p->shape->groups > 1) &&
           rt_family_allowed(ctx, v->family) && (v->fits == NULL || v->fits(ctx, p, choice->params));
}

bool conv_choice_defaults(const convoy_context *ctx, const conv_problem *p, const conv_variant *v, conv_choice *out)
{
    *out = (conv_choice){.variant = v};
    if (v->pass != p->pass)
        return false;
    if (v->defaults)
        v->defaults(ctx, p, out->params);
    return conv_choice_fits(ctx, p, out);
}

void conv_choose_untuned(const convoy_context *ctx, const conv_problem *p, conv_choice *out)
{
    const conv_variant *v;
    for (size_t i = 0; (v = conv_variant_at(i)) != NULL; i++)
        if (!v->only_tuned && rt_family_preferred(ctx, v->family) && conv_choice_defaults(ctx, p, v, out))
            return; /* the plain ones always fit */
}

typedef struct taken {
    const convoy_context *ctx;
    const conv_problem *problem;
    conv_choice choice;
} taken;

static bool take_record(void *user, const char *value)
{
    taken *t = user;
    return conv_choice_parse(t->ctx, t->problem, value, &t->choice);
}

void conv_choose(const convoy_context *ctx, const conv_problem *p, conv_choice *out)
{
    char key[192];
    taken record = {.ctx = ctx, .problem = p};
    conv_problem_key(p, key, sizeof key);
    bool recorded = rt_record_choose(ctx, key, conv_pass_key(p->pass), take_record, &record);
    if (!recorded || rt_gemm_forced(ctx))
        conv_choose_untuned(ctx, p, out);
    if (recorded && (!rt_gemm_forced(ctx) || strcmp(out->variant->family, "gemm") != 0))
        *out = record.choice;
}

const char *conv_pass_key(conv_pass pass)
{
    static const char *const keys[] = {"conv2d forward", "conv2d backward data", "conv2d backward filter"};
    return keys[pass];
}

void conv_problem_key(const conv_problem *p, char *out, size_t size)
{
    const conv_shape *s = p->shape;
    int used = snprintf(out, size, "%s %dx%dx%d %dx%dx%d stride %dx%d dilation %dx%d pad %dx%d out %dx%d", conv_pass_key(p->pass),
                        s->height, s->width, s->in, s->kernel[0], s->kernel[1], s->out, s->stride[0], s->stride[1], s->dilation[0],
                        s->dilation[1], s->pad[0], s->pad[1], s->out_height, s->out_width);
    if (s->groups > 1)
        used += snprintf(out + used, size - (size_t)used, " groups %d", s->groups);
    snprintf(out + used, size - (size_t)used, " batch %d", p->batch);
}

bool conv_problem_parse(const char *key, conv_shape *shape, conv_problem *out)
{
    for (int pass = 0; pass < CONV_PASSES; pass++) {
        conv_shape s = {0};
        int used = 0;
        const char *name = conv_pass_key((conv_pass)pass), *at = key + strlen(name);
        if (strncmp(key, name, strlen(name)) != 0 ||
            sscanf(at, " %dx%dx%d %dx%dx%d stride %dx%d dilation %dx%d pad %dx%d out %dx%d%n", &s.height, &s.width, &s.in,
                   &s.kernel[0], &s.kernel[1], &s.out, &s.stride[0], &s.stride[1], &s.dilation[0], &s.dilation[1], &s.pad[0],
                   &s.pad[1], &s.out_height, &s.out_width, &used) != 14)
            continue;
        at += used;
        if (sscanf(at, " groups %d%n", &s.groups, &used) == 1)
            at += used;
        if (sscanf(at, " batch %d%n", &out->batch, &used) != 1 || at[used] != '\0')
            continue;
        *shape = s;
        out->pass = (conv_pass)pass;
        out->shape = shape;
        return true;
    }
    return false;
}

void conv_choice_text(const conv_choice *choice, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "%s", choice->variant->name);
    for (int i = 0; i < CONV_MAX_PARAMS && choice->variant->params[i].name && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, " %s=%d", choice->variant->params[i].name, choice->params[i]);
}

/* The value behind " NAME=" in text; 0 when it is not there. */
static int value_of(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = strchr(text, ' '); at != NULL; at = strchr(at + 1, ' '))
        if (strncmp(at + 1, name, length) == 0 && at[1 + length] == '=')
            return atoi(at + 2 + length);
    return 0;
}

bool conv_choice_parse(const convoy_context *ctx, const conv_problem *p, const char *text, conv_choice *out)
{
    const conv_variant *v;
    size_t length = strcspn(text, " ");
    for (size_t i = 0; (v = conv_variant_at(i)) != NULL; i++) {
        if (v->pass != p->pass || strlen(v->name) != length || strncmp(v->name, text, length) != 0)
            continue;
        if (text[length] == '\0')
            return conv_choice_defaults(ctx, p, v, out);
        *out = (conv_choice){.variant = v};
        bool whole = true;
        for (int k = 0; k < CONV_MAX_PARAMS && v->params[k].name; k++)
            whole &= (out->params[k] = value_of(text, v->params[k].name)) > 0;
        return whole && conv_choice_fits(ctx, p, out);
    }
    return false;
}
