#include "train/split.h"

#include <stdio.h>
#include <stdlib.h>

#include "data/data.h"
#include "runtime/runtime.h"

/* How many images of each class there are, and are held out. */
typedef struct share {
    size_t images, held_out, remainder;
} share;

/* ---- is it to be by class? ---- */

/* Do the labels stand class after class, with two images of one at least? The last images are then those of the last classes. */
static bool is_grouped(const int32_t *labels, size_t count, share *shares, int *classes)
{
    *classes = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && labels[i] == labels[i - 1]) {
            shares[labels[i]].images++;
            continue;
        }
        if (shares[labels[i]].images > 0)
            return false;
        shares[labels[i]].images = 1;
        ++*classes;
    }
    return *classes > 1 && (size_t)*classes < count;
}

/* ---- how many of each? ---- */

/* Whose turn it is to give one image more: the class whose exact share was cut by most, the first on ties. -1: all gave all they
 * can, and one of each class stays. */
static int most_cut(const share *shares, int classes)
{
    int best = -1;
    for (int c = 0; c < classes; c++)
        if (shares[c].held_out + 1 < shares[c].images && (best < 0 || shares[c].remainder > shares[best].remainder))
            best = c;
    return best;
}

/* The same share of each class, rounded so that they sum up to `wanted` (largest remainders),
 * but one image of each class stays to be trained on. Returns what they sum up to. */
static size_t choose_shares(share *shares, int classes, size_t count, size_t wanted)
{
    size_t sum = 0;
    for (int c = 0; c < classes; c++) {
        shares[c].held_out = shares[c].images * wanted / count;
        shares[c].remainder = shares[c].images * wanted % count;
        if (shares[c].images > 0 && shares[c].held_out == shares[c].images) /* all, or nearly, are wanted */
            shares[c].held_out--;
        sum += shares[c].held_out;
    }
    for (int c; sum < wanted && (c = most_cut(shares, classes)) >= 0; sum++) {
        shares[c].held_out++;
        shares[c].remainder = 0;
    }
    return sum;
}

/* *shares (to be freed) is NULL when the last images are to be held out, whatever their classes. Returns how many images are
 * trained on. */
static convoy_status choose(const convoy_dataset *data, double fraction, share **shares, size_t *kept, convoy_error *err)
{
    size_t count = convoy_dataset_count(data);
    int classes = 0, all = convoy_dataset_classes(data);
    *kept = (size_t)((double)count * (1.0 - fraction)); /* Keras's rounding */
    *shares = calloc((size_t)all, sizeof **shares);
    if (*shares == NULL)
        return OUT_OF_MEMORY(err);
    if (is_grouped(convoy_dataset_labels(data), count, *shares, &classes)) {
        *kept = count - choose_shares(*shares, all, count, count - *kept);
        return CONVOY_OK;
    }
    free(*shares);
    *shares = NULL;
    return CONVOY_OK;
}

size_t split_kept(const convoy_dataset *data, double fraction)
{
    share *shares;
    size_t kept = 0;
    if (choose(data, fraction, &shares, &kept, NULL) == CONVOY_OK)
        free(shares);
    return kept;
}

/* ---- the parts ---- */

/* The rows that are trained on, then those held out: of each class its last ones. */
static void arrange(const convoy_dataset *data, const share *shares, size_t kept, int32_t *rows)
{
    const int32_t *labels = convoy_dataset_labels(data);
    size_t count = convoy_dataset_count(data), trained = 0, held_out = kept, place = 0;
    for (size_t i = 0; i < count; i++) {
        place = i > 0 && labels[i] == labels[i - 1] ? place + 1 : 0;
        bool out = shares != NULL ? place >= shares[labels[i]].images - shares[labels[i]].held_out : i >= kept;
        rows[out ? held_out++ : trained++] = (int32_t)i;
    }
}

static void tell(convoy_context *ctx, const convoy_dataset *data, const share *shares, size_t kept)
{
    size_t count = convoy_dataset_count(data), least = SIZE_MAX, most = 0;
    char range[64];
    for (int c = 0; c < convoy_dataset_classes(data); c++) {
        if (shares[c].images == 0)
            continue;
        least = shares[c].held_out < least ? shares[c].held_out : least;
        most = shares[c].held_out > most ? shares[c].held_out : most;
    }
    if (least == most)
        snprintf(range, sizeof range, "%zu", least);
    else
        snprintf(range, sizeof range, "%zu to %zu", least, most);
    rt_note(ctx, "the images stand class after class: the validation split holds out the last ones of each class, %s of each, "
            "%zu of %zu in all", range, count - kept, count);
}

static convoy_status take_parts(const convoy_dataset *data, const int32_t *rows, size_t kept, const float *weights, split *out,
                                convoy_error *err)
{
    size_t count = convoy_dataset_count(data);
    TRY(dataset_pick(data, rows, kept, &out->train, err));
    TRY(dataset_pick(data, rows + kept, count - kept, &out->held_out, err));
    if (weights == NULL)
        return CONVOY_OK;
    out->train_weights = malloc(count * sizeof *out->train_weights);
    if (out->train_weights == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < count; i++)
        out->train_weights[i] = weights[rows[i]];
    out->held_out_weights = out->train_weights + kept;
    return CONVOY_OK;
}

static convoy_status create_parts(convoy_context *ctx, const convoy_dataset *data, double fraction, const share *shares,
                                  size_t kept, const float *weights, split *out, convoy_error *err)
{
    size_t count = convoy_dataset_count(data);
    if (kept == 0 || kept == count)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "validation split %g of %zu images leaves one side empty", fraction, count);
    int32_t *rows = malloc(count * sizeof *rows);
    if (rows == NULL)
        return OUT_OF_MEMORY(err);
    arrange(data, shares, kept, rows);
    convoy_status status = take_parts(data, rows, kept, weights, out, err);
    free(rows);
    if (status == CONVOY_OK && shares != NULL)
        tell(ctx, data, shares, kept);
    return status;
}

convoy_status split_create(convoy_context *ctx, const convoy_dataset *data, double fraction, const float *sample_weight,
                           split *out, convoy_error *err)
{
    share *shares;
    size_t kept;
    *out = (split){0};
    TRY(choose(data, fraction, &shares, &kept, err));
    convoy_status status = create_parts(ctx, data, fraction, shares, kept, sample_weight, out, err);
    free(shares);
    if (status != CONVOY_OK)
        split_free(out);
    return status;
}

void split_free(split *s)
{
    convoy_dataset_destroy(s->train);
    convoy_dataset_destroy(s->held_out);
    free(s->train_weights);
    *s = (split){0};
}
