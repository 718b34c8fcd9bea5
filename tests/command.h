/* Runs the built command as its users run it. For the test programs of src/cli: each has a folder of its own. */
#ifndef TEST_COMMAND_H
#define TEST_COMMAND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* All tests of a program share one folder, the current one; `t` is a small data file, `m.json` a small model. */
static char folder[] = "/tmp/convoy-cli-XXXXXX";

typedef struct outcome {
    int code;
    char *out, *err;
} outcome;

static outcome last;

static inline char *slurp(const char *path)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t size = 0, capacity = 1 << 20;
    char *data = calloc(1, capacity);
    assert_non_null(data);
    size = fread(data, 1, capacity - 1, f);
    fclose(f);
    data[size] = '\0';
    return data;
}

static inline void forget(void)
{
    free(last.out);
    free(last.err);
    last = (outcome){0};
}

/* Runs a line of shell in which `convoy` is the built command; the outcome is in `last`. */
static inline void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void shell(const char *format, ...)
{
    char line[2048], script[3072];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    snprintf(script, sizeof script, "convoy() { '%s' \"$@\"; }\n{ %s\n} >out 2>err </dev/null", TEST_COMMAND, line);
    forget();
    int status = system(script);
    last.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    last.out = slurp("out");
    last.err = slurp("err");
}

static inline void expect_text(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' is not in:\n%s", part, text);
}

static inline void expect_no_text(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("'%s' is in:\n%s", part, text);
}

/* The last command failed with `code`, printed no result, and its message is ours and says `part`. */
static inline void expect_failure(int code, const char *part)
{
    if (last.code != code)
        fail_msg("exit code %d instead of %d; it said:\n%s", last.code, code, last.err);
    assert_string_equal(last.out, "");
    expect_text(last.err, "convoy: ");
    expect_text(last.err, part);
}

static inline void expect_success(void)
{
    if (last.code != 0)
        fail_msg("exit code %d; it said:\n%s", last.code, last.err);
}

static inline void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

#define INPUT "{\"class_name\":\"InputLayer\",\"config\":{\"batch_shape\":[null,32,32,3]}}"
#define MODEL(layers) "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[" INPUT "," layers "]}}"
#define DENSE(units) "{\"class_name\":\"Dense\",\"config\":{\"units\":" units "}}"
#define FLATTEN "{\"class_name\":\"Flatten\",\"config\":{}}"

static inline int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL || chdir(folder) != 0)
        return -1;
    unsetenv("COLUMNS");
    unsetenv("NO_COLOR");
    write_file("m.json", MODEL(FLATTEN "," DENSE("10")));
    return system("head -c 614600 " TEST_DATA_DIR "/sample/data_batch_1.bin > t"); /* 200 images */
}

static inline int remove_folder(void **state)
{
    (void)state;
    char command[64];
    forget();
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return chdir("/") == 0 ? system(command) : -1;
}

#endif
