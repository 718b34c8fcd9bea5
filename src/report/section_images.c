/* Test images: samples of all classes, what the model says, and where it is most certain and wrong. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/thumb.h"

enum { CELLS = 25, MISTAKES = 20, FEW = 10, MANY_RUNS = 4 };

/* Many runs share the room that a page has. */
static size_t room_for(const section_run *s, size_t wanted) { return s->run_count <= MANY_RUNS ? wanted : FEW; }

static void write_percent(double part, char out[16])
{
    /* 100 % is said only of what is 1. */
    snprintf(out, 16, part < 1 && part >= 0.9995 ? ">\u00A099.9\u00A0%%" : "%.1f\u00A0%%", 100 * part);
}

/* ---- samples ---- */

/* One image of each class in turn, then the second one of each, and so on. */
static size_t choose_samples(const convoy_dataset *data, size_t *out, size_t wanted)
{
    size_t count = convoy_dataset_count(data), classes = (size_t)convoy_dataset_classes(data), chosen = 0;
    const int32_t *labels = convoy_dataset_labels(data);
    size_t *next = calloc(classes, sizeof *next);
    if (next == NULL)
        return 0;
    for (bool found = true; found && chosen < wanted;) {
        found = false;
        for (size_t c = 0; c < classes && chosen < wanted; c++) {
            while (next[c] < count && labels[next[c]] != (int32_t)c)
                next[c]++;
            if (next[c] == count)
                continue;
            out[chosen++] = next[c]++;
            found = true;
        }
    }
    free(next);
    return chosen;
}

convoy_status section_samples(const section_run *s, convoy_error *err)
{
    size_t chosen[CELLS];
    page_section(s->page, "Samples");
    if (s->evaluation->images == NULL) {
        page_paragraph(s->page, "note", "No images: %s", s->evaluation->why_no_images);
        page_end_section(s->page);
        return CONVOY_OK;
    }
    size_t count = choose_samples(s->evaluation->images, chosen, CELLS);
    grid_cell *cells = calloc(CELLS, sizeof *cells);
    if (count == 0 || cells == NULL) {
        free(cells);
        return OUT_OF_MEMORY(err);
    }
    for (size_t i = 0; i < count; i++) {
        char number[16];
        cells[i].image = chosen[i];
        text_copy(cells[i].first.name, sizeof cells[i].first.name,
                 evaluation_class_name(s->evaluation, s->run, convoy_dataset_labels(s->evaluation->images)[chosen[i]], number));
    }
    page_paragraph(s->page, "about", "%zu of the %zu test images, each with the name of its class.", count,
                   convoy_dataset_count(s->evaluation->images));
    convoy_status status = grid_add(s, "samples.png", cells, count, err);
    free(cells);
    page_end_section(s->page);
    return status;
}

/* ---- predictions ---- */

static void describe(const section_run *s, size_t image, grid_cell *cell)
{
    char number[16];
    int guess = s->evaluation->guess[image], label = convoy_dataset_labels(s->evaluation->images)[image];
    *cell = (grid_cell){.image = image, .verdict = guess == label ? VERDICT_RIGHT : VERDICT_WRONG};
    text_copy(cell->first.name, sizeof cell->first.name, evaluation_class_name(s->evaluation, s->run, guess, number));
    write_percent(evaluation_probability(s->evaluation, image, guess), cell->first.number);
    if (guess == label)
        return;
    snprintf(cell->second.name, sizeof cell->second.name, "is %.180s", evaluation_class_name(s->evaluation, s->run, label, number));
    write_percent(evaluation_probability(s->evaluation, image, label), cell->second.number);
}

/* Nothing to show, and why: true. */
static bool lacks_predictions(const section_run *s)
{
    if (s->evaluation->probabilities != NULL)
        return false;
    page_paragraph(s->page, "note", "No predictions: %s", s->evaluation->why_no_predictions);
    page_end_section(s->page);
    return true;
}

convoy_status section_predictions(const section_run *s, convoy_error *err)
{
    page_section(s->page, "Predictions");
    if (lacks_predictions(s))
        return CONVOY_OK;
    size_t all = convoy_dataset_count(s->evaluation->images), wanted = room_for(s, CELLS), count = all < wanted ? all : wanted;
    grid_cell *cells = calloc(count, sizeof *cells);
    if (cells == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < count; i++)
        describe(s, i * all / count, &cells[i]);
    page_paragraph(s->page, "about", "%zu test images at even distances, whatever the model says to them: the likeliest class and "
                   "how likely the model takes it to be. %zu of all %zu test images are right, %.2f %%.", count, s->evaluation->right,
                   all, 100.0 * (double)s->evaluation->right / (double)all);
    convoy_status status = grid_add(s, "predictions.png", cells, count, err);
    free(cells);
    page_end_section(s->page);
    return status;
}

/* ---- mistakes ---- */

typedef struct mistake {
    size_t image;
    float certainty;
} mistake;

/* The most certain first; not a number, as of a model whose weights are none, last. */
static int by_certainty(const void *a, const void *b)
{
    const mistake *x = a, *y = b;
    float p = isnan(x->certainty) ? -1 : x->certainty, q = isnan(y->certainty) ? -1 : y->certainty;
    if (p != q)
        return p < q ? 1 : -1;
    return x->image < y->image ? -1 : x->image > y->image;
}

static size_t find_mistakes(const evaluation *l, mistake *out)
{
    const int32_t *labels = convoy_dataset_labels(l->images);
    size_t found = 0;
    for (size_t i = 0; i < convoy_dataset_count(l->images); i++)
        if (l->guess[i] != labels[i])
            out[found++] = (mistake){i, evaluation_probability(l, i, l->guess[i])};
    qsort(out, found, sizeof *out, by_certainty);
    return found;
}

convoy_status section_mistakes(const section_run *s, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    page_section(s->page, "Most confident mistakes");
    if (lacks_predictions(s))
        return CONVOY_OK;
    mistake *all = malloc(convoy_dataset_count(s->evaluation->images) * sizeof *all);
    grid_cell *cells = calloc(MISTAKES, sizeof *cells);
    if (all == NULL || cells == NULL)
        TRY_GOTO(OUT_OF_MEMORY(err));
    size_t found = find_mistakes(s->evaluation, all), wanted = room_for(s, MISTAKES), count = found < wanted ? found : wanted;
    for (size_t i = 0; i < count; i++)
        describe(s, all[i].image, &cells[i]);
    if (count == 0)
        page_paragraph(s->page, "about", "There are none: every test image is right.");
    else
        page_paragraph(s->page, "about", "The %zu of %zu wrong test images that the model is most certain about.", count, found);
    if (count > 0)
        TRY_GOTO(grid_add(s, "mistakes.png", cells, count, err));
    page_end_section(s->page);
done:
    free(all);
    free(cells);
    return status;
}
