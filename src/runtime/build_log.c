/* What a user gets when a kernel does not build: the compiler's log, and the source lines that it names, numbered. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "runtime/program.h"

#define MOST_LOG 3000   /* bytes: the lines must fit into the message too */
#define MOST_NAMED 6    /* lines that the log names */
#define AROUND 2        /* lines shown before and after a named one */
#define LINES_UNNAMED 30 /* shown when the log names none */

/* The number at `s` when it ends with a colon or the line; 0 otherwise. */
static long number_at(const char *s)
{
    char *end;
    if (!isdigit((unsigned char)*s))
        return 0;
    long n = strtol(s, &end, 10);
    return *end == ':' || *end == '\n' || *end == '\0' ? n : 0;
}

/* The source line that one line of a log names: "file.cl:12:5: error", "1:12:5: error", "line 12: error"; 0 if none. */
static long named_line(const char *s, const char *end)
{
    for (; s < end; s++) {
        long n = 0;
        if (*s == ':')
            n = number_at(s + 1);
        else if (end - s > 5 && strncmp(s, "line ", 5) == 0)
            n = number_at(s + 5);
        if (n > 0)
            return n;
    }
    return 0;
}

static bool has_word(const char *s, const char *end, const char *word)
{
    size_t n = strlen(word);
    for (; (size_t)(end - s) >= n; s++)
        if (strncmp(s, word, n) == 0)
            return true;
    return false;
}

/* Collects the first few different lines that errors name, or, without any error, that anything names. */
static size_t named_lines(const char *log, long last, bool errors_only, long *out)
{
    size_t count = 0;
    for (const char *s = log; *s != '\0' && count < MOST_NAMED;) {
        const char *end = s + strcspn(s, "\n");
        long n = !errors_only || has_word(s, end, "error") ? named_line(s, end) : 0;
        bool new = n > 0 && n <= last;
        for (size_t i = 0; i < count; i++)
            new = new && out[i] != n;
        if (new)
            out[count++] = n;
        s = *end ? end + 1 : end;
    }
    return count;
}

static long count_lines(const char *source)
{
    long n = 0;
    for (; *source != '\0'; source++)
        n += *source == '\n';
    return n;
}

static bool is_near(long line, const long *named, size_t count, long around)
{
    for (size_t i = 0; i < count; i++)
        if (labs(line - named[i]) <= around)
            return true;
    return false;
}

static void add_source(text *t, const char *source, const char *log)
{
    long named[MOST_NAMED];
    long last = count_lines(source), shown = 0;
    size_t count = named_lines(log, last, true, named);
    if (count == 0)
        count = named_lines(log, last, false, named);
    long line = 1;
    for (const char *s = source; *s != '\0'; line++) {
        const char *end = s + strcspn(s, "\n");
        if (count == 0 ? line <= LINES_UNNAMED : is_near(line, named, count, AROUND)) {
            if (shown != 0 && shown != line - 1)
                text_add(t, "\n       ...");
            text_add(t, "\n%c %4ld | %.*s", is_near(line, named, count, 0) ? '>' : ' ', line, (int)(end - s), s);
            shown = line;
        }
        s = *end ? end + 1 : end;
    }
}

static void add_log(text *t, const char *log)
{
    size_t n = strlen(log);
    while (n > 0 && isspace((unsigned char)log[n - 1]))
        n--;
    if (n == 0)
        text_add(t, "(the compiler left no log)");
    else if (n <= MOST_LOG)
        text_add(t, "%.*s", (int)n, log);
    else
        text_add(t, "%.*s\n(%zu more bytes of log)", MOST_LOG, log, n - MOST_LOG);
}

convoy_status build_fail(const convoy_context *ctx, const char *what, const char *options, const char *kernel_text,
                         const char *log, cl_int code, convoy_error *err)
{
    text t = {0};
    char *message;
    text_add(&t, "%s does not build for %s (driver %s): %s (%d)\noptions: %s\n", what, ctx->info.name,
             ctx->info.driver, rt_cl_error(code), (int)code, options);
    add_log(&t, log);
    text_add(&t, "\n%s, its includes expanded:", what);
    add_source(&t, kernel_text, log);
    TRY(text_take(&t, &message, err));
    convoy_status status = base_fail(err, CONVOY_ERROR_BUILD, "%s", message);
    free(message);
    return status;
}
