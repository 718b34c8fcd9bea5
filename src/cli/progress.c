/* After keras/src/utils/progbar.py: the same cells, times and numbers. */
#include "cli/progress.h"

#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define CELLS 20
#define INTERVAL 0.05 /* seconds between redraws */

/* True while a line on the terminal has no newline yet. */
static bool line_is_open;

void progress_break_line(void)
{
    if (line_is_open)
        fputc('\n', stderr);
    line_is_open = false;
}

void progress_begin(progress *p, bool quiet)
{
    const char *term = getenv("TERM");
    *p = (progress){.quiet = quiet};
    p->terminal = isatty(STDERR_FILENO) && (term == NULL || strcmp(term, "dumb") != 0);
    p->colour = cli_wants_colour(STDERR_FILENO);
    setlocale(LC_CTYPE, ""); /* only to learn the character set: numbers keep their point */
    p->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void progress_epoch(progress *p, int epoch, int epochs)
{
    p->start = cli_seconds();
    p->drawn = -INTERVAL;
    p->first = 0;
    p->first_step = 0;
    p->width = 0;
    if (!p->quiet && p->terminal && epochs > 0)
        fprintf(stderr, "Epoch %d/%d\n", epoch, epochs);
}

static double seconds_per_step(progress *p, size_t step, double now)
{
    if (step == 0)
        return 0;
    if (p->first_step == 0) {
        p->first = now;
        p->first_step = step;
    }
    if (step > p->first_step)
        return (now - p->first) / (double)(step - p->first_step);
    return (now - p->start) / (double)step;
}

/* ---- pieces of the line; each returns how many columns it takes ---- */

static size_t put(const char *text)
{
    fputs(text, stderr);
    return strlen(text);
}

static size_t put_in(const progress *p, const char *escape, const char *text, size_t columns)
{
    if (p->colour)
        fputs(escape, stderr);
    fputs(text, stderr);
    if (p->colour)
        fputs("\x1b[0m", stderr);
    return columns;
}

static size_t put_bar(const progress *p, size_t step, size_t steps)
{
    /* Without colour the cells to come need a shape of their own. */
    const char *full = p->utf8 ? "━" : "=", *empty = !p->utf8 ? "." : p->colour ? "━" : "─";
    size_t done = step * CELLS / steps;
    char cells[CELLS * 4 + 1] = "";
    for (size_t i = 0; i < done; i++)
        strcat(cells, full);
    if (done > 0)
        put_in(p, "\x1b[32m", cells, done);
    cells[0] = '\0';
    for (size_t i = done; i < CELLS; i++)
        strcat(cells, empty);
    put_in(p, "\x1b[37m", cells, CELLS - done);
    return CELLS;
}

static void format_time_per_step(char *out, size_t size, double seconds)
{
    if (seconds >= 1 || seconds == 0)
        snprintf(out, size, " %.0fs/step", seconds);
    else if (seconds >= 1e-3)
        snprintf(out, size, " %.0fms/step", seconds * 1e3);
    else
        snprintf(out, size, " %.0fus/step", seconds * 1e6);
}

/* What does not fit into *room is left out, and so is all that follows. */
static size_t put_value(const char *name, double value, size_t *room)
{
    char text[128];
    snprintf(text, sizeof text, fabs(value) > 1e-3 ? " - %s: %.4f" : " - %s: %.4e", name, value);
    bool fits = strlen(text) <= *room;
    *room = fits ? *room - strlen(text) : 0;
    return fits ? put(text) : 0;
}

static size_t put_metrics(const convoy_metrics *train, const convoy_metrics *validation, size_t room)
{
    char name[CONVOY_METRIC_NAME_SIZE + 4];
    size_t width = 0;
    for (int i = 0; i < train->count; i++)
        width += put_value(train->metric[i].name, train->metric[i].value, &room);
    for (int i = 0; validation != NULL && i < validation->count; i++) {
        snprintf(name, sizeof name, "val_%s", validation->metric[i].name);
        width += put_value(name, validation->metric[i].value, &room);
    }
    return width;
}

/* Columns for a line. One that is drawn over again must not reach the terminal's last, or it would break and stay. */
static size_t line_room(bool last)
{
    int columns = cli_columns(STDERR_FILENO);
    return last || columns <= 0 ? SIZE_MAX : (size_t)columns - 1;
}

static void end_line(progress *p, size_t width, bool last)
{
    size_t room = line_room(last), before = p->width < room ? p->width : room;
    if (width < before)
        fprintf(stderr, "%*s", (int)(before - width), "");
    if (last)
        fputc('\n', stderr);
    fflush(stderr);
    line_is_open = !last;
    p->width = width;
    p->drawn = cli_seconds();
}

static void format_remaining(char *out, size_t size, double seconds)
{
    long s = (long)seconds;
    if (s > 3600)
        snprintf(out, size, "%ld:%02ld:%02ld", s / 3600, s % 3600 / 60, s % 60);
    else if (s > 60)
        snprintf(out, size, "%ld:%02ld", s / 60, s % 60);
    else
        snprintf(out, size, "%lds", s);
}

static int digits(size_t number)
{
    int n = 1;
    while (number >= 10) {
        number /= 10;
        n++;
    }
    return n;
}

/* ---- lines ---- */

static void draw(progress *p, size_t step, size_t steps, const convoy_metrics *train, const convoy_metrics *validation,
                 bool last)
{
    double now = cli_seconds(), per_step = seconds_per_step(p, step, now);
    char head[64], time[32], each[48];
    size_t room = line_room(last);
    snprintf(head, sizeof head, "%*zu/%zu", digits(steps), step, steps);
    if (last)
        snprintf(time, sizeof time, "%.0fs", now - p->start);
    else
        format_remaining(time, sizeof time, per_step * (double)(steps - step));
    format_time_per_step(each, sizeof each, per_step);
    size_t width = strlen(head) + 1 + strlen(time);
    if (width + strlen(each) > room)
        each[0] = '\0';
    width += strlen(each);
    fputc('\r', stderr);
    put_in(p, "\x1b[1m", head, strlen(head));
    fputc(' ', stderr);
    if (width + CELLS + 1 <= room) {
        width += put_bar(p, step, steps) + 1;
        fputc(' ', stderr);
    }
    put_in(p, "\x1b[1m", time, strlen(time));
    put(each);
    width += put_metrics(train, validation, width < room ? room - width : 0);
    end_line(p, width, last);
}

static void draw_bar(progress *p, double part, const char *words, bool last)
{
    size_t width = strlen(words), room = line_room(last);
    bool bar = width + CELLS + 1 <= room;
    fputc('\r', stderr);
    if (bar)
        width += put_bar(p, (size_t)(part * 1000.0), 1000) + put(" ");
    fprintf(stderr, "%.*s", (int)(bar ? width : room < width ? room : width), words);
    end_line(p, width < room ? width : room, last);
    p->width = last ? 0 : p->width;
}

void progress_bar(progress *p, double part, const char *words)
{
    if (!p->quiet && p->terminal && cli_seconds() - p->drawn >= INTERVAL)
        draw_bar(p, part < 0 ? 0 : part > 1 ? 1 : part, words, false);
}

void progress_bar_end(progress *p, const char *words)
{
    if (!p->quiet && p->terminal)
        draw_bar(p, 1, words, true);
}

void progress_step(progress *p, size_t step, size_t steps, const convoy_metrics *so_far)
{
    double now = cli_seconds();
    if (p->quiet || steps == 0)
        return;
    if (!p->terminal || now - p->drawn < INTERVAL) {
        seconds_per_step(p, step, now); /* notes the first step */
        return;
    }
    draw(p, step, steps, so_far, NULL, false);
}

/* Keras's line with verbose=2, after the epoch's number. */
static void plain_line(progress *p, int epoch, int epochs, size_t steps, const convoy_metrics *train,
                       const convoy_metrics *validation)
{
    double now = cli_seconds();
    char each[48];
    format_time_per_step(each, sizeof each, seconds_per_step(p, steps, now));
    fprintf(stderr, "Epoch %d/%d - %zu/%zu - %.0fs -%s", epoch, epochs, steps, steps, now - p->start, each);
    put_metrics(train, validation, SIZE_MAX);
    fputc('\n', stderr);
}

void progress_end(progress *p, int epoch, int epochs, size_t steps, const convoy_metrics *so_far,
                  const convoy_metrics *validation)
{
    if (p->quiet || steps == 0)
        return;
    if (p->terminal)
        draw(p, steps, steps, so_far, validation, true);
    else if (epochs > 0) /* an evaluation's result goes to stdout */
        plain_line(p, epoch, epochs, steps, so_far, validation);
}

/* ---- bytes ---- */

/* "17.0/170.1 MB", "0.3/4.5 kB" */
static void format_bytes(char *out, size_t size, uint64_t done, uint64_t total)
{
    bool large = total >= 1000000;
    double unit = large ? 1e6 : 1e3;
    snprintf(out, size, "%.1f/%.1f %s", (double)done / unit, (double)total / unit, large ? "MB" : "kB");
}

static void draw_bytes(progress *p, uint64_t done, uint64_t total, double now)
{
    char text[64], left[32] = "", rest[128];
    double rate = (double)(done - p->first_done) / (now > p->start ? now - p->start : 1e-9);
    size_t room = line_room(done == total), width;
    format_bytes(text, sizeof text, done, total);
    if (done == total)
        snprintf(left, sizeof left, "%.0fs", now - p->start);
    else if (rate > 0)
        format_remaining(left, sizeof left, (double)(total - done) / rate);
    snprintf(rest, sizeof rest, left[0] ? " %s - %.1f MB/s - %s" : " %s", text, rate / 1e6, left);
    width = strlen(p->what) + strlen(rest);
    fprintf(stderr, "\r%.*s", (int)(room < INT_MAX ? room : INT_MAX), p->what);
    if (width + CELLS + 1 <= room)
        width += put(" ") + put_bar(p, (size_t)(done / (total / 1000 + 1)), (size_t)(total / (total / 1000 + 1)));
    if (width <= room)
        put(rest);
    end_line(p, width <= room ? width : strlen(p->what), done == total);
    p->drawn = now;
}

static void start_bytes(progress *p, const char *what, uint64_t done, double now)
{
    snprintf(p->what, sizeof p->what, "%s", what);
    p->start = now;
    p->drawn = -INTERVAL;
    p->width = 0;
    p->done = p->first_done = done;
    p->ended = false;
}

void progress_bytes(progress *p, const char *what, uint64_t done, uint64_t total)
{
    double now = cli_seconds();
    if (p->quiet || total == 0)
        return;
    if (strcmp(p->what, what) != 0 || done < p->done)
        start_bytes(p, what, done, now);
    bool ends = done == total && !p->ended; /* the end is shown once */
    if (p->terminal && (ends || (done < total && now - p->drawn >= INTERVAL)))
        draw_bytes(p, done, total, now);
    if (!p->terminal && (ends || done * 10 / total > p->done * 10 / total)) {
        char text[64];
        format_bytes(text, sizeof text, done, total);
        fprintf(stderr, "%s: %.0f%% (%s)\n", what, 100 * (double)done / (double)total, text);
    }
    p->done = done;
    p->ended = done == total;
}
