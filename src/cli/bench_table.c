#include "cli/bench_table.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS 104
#define MOST_LABEL 30

static const int number_widths[] = {8, 6, 8, 6, 8}; /* of the columns at the right, each with a space before it */
enum { NUMBERS = sizeof number_widths / sizeof *number_widths };

/* ---- cells ---- */

/* "1,234,567"; returns out. */
static const char *whole(double value, char out[32])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%.0f", value), used = 0;
    for (int i = 0; i < length && i < (int)sizeof digits - 1; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}

/* Below 1,000 with a decimal: "12.3". */
static const char *number(double value, char out[32])
{
    if (value >= 999.95)
        return whole(value, out);
    snprintf(out, 32, "%.1f", value);
    return out;
}

/* The same for what may not be counted: "-" for 0. */
static const char *count(double value, char out[32])
{
    if (value > 0)
        return number(value, out);
    return strcpy(out, "-");
}

static const char *percent(double share, char out[32])
{
    snprintf(out, 32, "%.1f%%", 100 * share);
    return out;
}

/* Binary units, as the summary of a model has them. */
static const char *bytes(size_t n, char out[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)n;
    size_t u = 0;
    for (; value >= 1000 && u + 1 < sizeof units / sizeof *units; u++)
        value /= 1024;
    snprintf(out, 32, u == 0 ? "%.0f %s" : "%.2f %s", value, units[u]);
    return out;
}

/* ---- words that may need several lines ---- */

/* How much of `text` one line of `width` takes: up to its last space if it has one, else as much as fits. */
static int piece(const char *text, int width)
{
    int length = (int)strlen(text), at = width;
    if (length <= width)
        return length;
    while (at > 0 && text[at] != ' ')
        at--;
    return at > 0 ? at : width;
}

static const char *skip_spaces(const char *text)
{
    return text + strspn(text, " ");
}

/* The variant, which says more than the kernel's name does, where there was a choice. */
static const char *kernel_text(const char *variant, const char *kernel) { return *variant ? variant : kernel; }

/* ---- rows ---- */

typedef struct widths {
    int label, kernel;
} widths;

static int at_most(size_t n, int most)
{
    return n < (size_t)most ? (int)n : most;
}

static void widen(widths *w, const char *label, const char *kernel)
{
    int l = at_most(strlen(label), MOST_LABEL), k = at_most(strlen(kernel), COLUMNS);
    w->label = l > w->label ? l : w->label;
    w->kernel = k > w->kernel ? k : w->kernel;
}

/* Leaves room for so many numbers. */
static void limit(widths *w, int numbers)
{
    int left = COLUMNS - 2 - w->label;
    for (int i = 0; i < numbers; i++)
        left -= number_widths[i] + 1;
    w->kernel = at_most((size_t)w->kernel, left);
}

static widths widths_of(const convoy_bench_result *r)
{
    widths w = {6, 6};
    for (size_t i = 0; i < r->launch_count; i++)
        widen(&w, r->launches[i].label, kernel_text(r->launches[i].variant, r->launches[i].kernel));
    limit(&w, NUMBERS);
    return w;
}

/* Two texts and NUMBERS numbers; NULL ends them early. Texts go on in further lines where they are too long. */
static void print_row(const widths *w, const char *label, const char *kernel, const char *const *numbers)
{
    for (bool first = true; first || *label != '\0' || *kernel != '\0'; first = false) {
        int l = piece(label, w->label), k = piece(kernel, w->kernel);
        bool more = first || *kernel != '\0';
        printf("%-*.*s", more ? w->label : 0, l, label);
        if (more)
            printf("  %-*.*s", first ? w->kernel : 0, k, kernel);
        for (int i = 0; first && i < NUMBERS && numbers[i] != NULL; i++)
            printf(" %*s", number_widths[i], numbers[i]);
        putchar('\n');
        label = skip_spaces(label + l);
        kernel = skip_spaces(kernel + k);
    }
}

static void print_launch(const widths *w, const convoy_bench_launch *l)
{
    char cells[5][32];
    print_row(w, l->label, kernel_text(l->variant, l->kernel),
              (const char *const[]){number(l->microseconds, cells[0]), percent(l->share, cells[1]),
                                    count(l->gflops, cells[2]), count(l->gbytes_per_second, cells[3]),
                                    l->gflops > 0 ? percent(l->peak_share, cells[4]) : "-"});
}

static void print_totals(const widths *w, const convoy_bench_result *r)
{
    char cells[3][32];
    print_row(w, "all launches", "", (const char *const[]){number(r->launch_microseconds, cells[0]), "100.0%", NULL});
    print_row(w, "step, not profiled", "",
              (const char *const[]){number(r->step_microseconds, cells[0]), "", count(r->step_gflops, cells[1]), "",
                                    percent(r->step_peak_share, cells[2])});
}

/* ---- the lines around the table ---- */

static void print_rate(const char *what, const convoy_bench_rate *rate, int repeats, size_t images)
{
    char median[32], least[32], most[32], each[32];
    printf("%-14s %10s images/s  (%s to %s in %d x %s images)\n", what, number(rate->images_per_second, median),
           number(rate->min, least), number(rate->max, most), repeats, whole((double)images, each));
}

static void print_memory(const convoy_bench_result *r)
{
    char peak[32], planned[32], least[32];
    printf("%-14s %10s in training  (planned %s; %.1f%% of the least possible, %s)\n", "device memory",
           bytes(r->peak_bytes, peak), bytes(r->planned_bytes, planned),
           100.0 * (double)r->peak_bytes / (double)r->least_bytes, bytes(r->least_bytes, least));
}

void bench_table_print(const convoy_context *ctx, const char *model, const convoy_bench_result *r)
{
    const convoy_device_info *d = convoy_context_device(ctx);
    widths w = widths_of(r);
    printf("%-14s %.80s\n", "device", d->name);
    printf("%-14s %.80s\n", "driver", d->driver);
    printf("%-14s %10.1f GFLOP/s  (float32 multiply-adds)\n", "peak", r->peak.gflops);
    printf("%-14s %10.1f GB/s\n", "memory", r->peak.gbytes_per_second);
    printf("%-14s %10.2f us\n", "empty launch", r->peak.launch_microseconds);
    printf("%-14s %.60s, batch size %d\n\n", "model", model, r->batch_size);
    print_row(&w, "launch", "variant or kernel", (const char *const[]){"us", "share", "GFLOP/s", "GB/s", "of peak"});
    for (size_t i = 0; i < r->launch_count; i++)
        print_launch(&w, &r->launches[i]);
    print_totals(&w, r);
    putchar('\n');
    print_rate("training", &r->training, r->repeats, (size_t)r->steps * (size_t)r->batch_size);
    print_rate("prediction", &r->prediction, r->repeats, r->prediction_images);
    print_memory(r);
}

/* ---- what would be chosen ---- */

static void print_choice(const widths *w, const convoy_bench_choice *c)
{
    char cells[2][32];
    double groups = 1, items = 1;
    for (int d = 0; d < 3 && c->global[d] > 0; d++) {
        groups *= c->local[d] > 0 ? (double)(c->global[d] / c->local[d]) : (double)c->global[d];
        items *= c->local[d] > 0 ? (double)c->local[d] : 1;
    }
    bool known = c->local[0] > 0; /* else the driver chooses, or it is no kernel of ours */
    print_row(w, c->label, kernel_text(c->variant, c->kernel),
              (const char *const[]){known ? whole(groups, cells[0]) : "-", known ? whole(items, cells[1]) : "-", NULL});
}

void bench_table_print_choices(const convoy_context *ctx, const char *model, const convoy_bench_choices *c)
{
    static const char heading[] = "variant or kernel";
    char planned[32];
    widths w = {6, (int)strlen(heading)};
    printf("%-14s %.80s (described; nothing ran)\n", "device", convoy_context_device(ctx)->name);
    printf("%-14s %.60s, batch size %d\n\n", "model", model, c->batch_size);
    for (size_t i = 0; i < c->launch_count; i++)
        widen(&w, c->launches[i].label, kernel_text(c->launches[i].variant, c->launches[i].kernel));
    limit(&w, 2);
    print_row(&w, "launch", heading, (const char *const[]){"groups", "items", NULL});
    for (size_t i = 0; i < c->launch_count; i++)
        print_choice(&w, &c->launches[i]);
    printf("\n%-14s %10s in training, planned\n", "device memory", bytes(c->planned_bytes, planned));
}
