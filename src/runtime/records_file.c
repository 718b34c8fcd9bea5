/* Tuning records on disk, as text:
 *
 *   # convoy tuning records, format 1
 *   # device: ...                             whom they are for: one device with its driver, or a class of devices (# class: ...)
 *   # ...
 *   conv2d forward ... batch 64<TAB>vec VW=16 VECTORS=2 PIXELS=13 TILES=4<TAB>812.4
 *   !conv2d forward ... batch 64<TAB>vec VW=4 VECTORS=1 PIXELS=4 TILES=1<TAB>0.0
 *
 * A record is a key, a value and the microseconds that were measured; one whose key begins with ! is a value that ran too long or
 * did not work, so that no later run tries it. Files appear by rename and are read again before they are written, so that two
 * processes can share one. */

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/fnv.h"
#include "base/text.h"
#include "convoy/version.h"
#include "runtime/internal.h"
#include "runtime/records.h"

#define FORMAT "# convoy tuning records, format 1"
#define LARGEST_FILE ((size_t)4 << 20) /* bytes: tens of thousands of records */
#define UNITS "# compute units: "
/* What ships was measured on a device of some size; where there are more than so many times its units, or fewer, other
 * parameters are best. */
#define UNITS_APART 4

/* ---- whom records are for ---- */

/* Everything that the best choice depends on, on one line. Another version of Convoy has other kernels. */
static void device_line(const convoy_context *ctx, char *out, size_t size)
{
    const convoy_device_info *d = &ctx->info;
    char version[256] = "";
    rt_platform_version(ctx, version, sizeof version - 1);
    snprintf(out, size, "# device: %s, %s; %s, %s, %s; driver %s; %u compute units; vectors of %u; convoy %s",
             d->platform_name, version, d->name, d->vendor, d->version, d->driver, d->compute_units, ctx->vector_width,
             CONVOY_VERSION);
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
}

const char *rt_device_class(const convoy_context *ctx)
{
    static const struct { const char *vendor, *class; } vendors[] = {
        {"NVIDIA", "gpu-nvidia"}, {"Advanced Micro Devices", "gpu-amd"}, {"AMD", "gpu-amd"}, {"Intel", "gpu-intel"}};
    if (ctx->info.type != CONVOY_DEVICE_GPU)
        return ctx->vector_width == 16 ? "cpu-16" : ctx->vector_width == 8 ? "cpu-8" : "cpu-4";
    for (size_t i = 0; i < sizeof vendors / sizeof *vendors; i++)
        if (strstr(ctx->info.vendor, vendors[i].vendor))
            return vendors[i].class;
    return "gpu";
}

/* The user's file for this device: a part of the device's name, to be found by eye, and a hash of the whole line. */
static bool user_path(const convoy_context *ctx, const char *line, char *out, size_t size)
{
    char name[40];
    size_t n = 0;
    for (const char *c = ctx->info.name; *c && n < sizeof name - 1; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        name[n++] = plain ? *c : '-';
    }
    name[n] = '\0';
    int length = snprintf(out, size, "%s/tune/%s-%016llx.txt", ctx->cache_dir, name,
                          (unsigned long long)fnv1a(FNV_BASIS, line, strlen(line)));
    return ctx->cache_dir[0] != '\0' && length > 0 && (size_t)length < size;
}

/* ---- reading ---- */

/* Cuts the next line off *at; NULL at the end. */
static char *next_line(char **at)
{
    char *line = *at;
    if (*line == '\0')
        return NULL;
    size_t length = strcspn(line, "\n");
    *at = line + length + (line[length] == '\n');
    line[length] = '\0';
    if (length > 0 && line[length - 1] == '\r')
        line[length - 1] = '\0';
    return line;
}

static bool printable(const char *text, size_t limit)
{
    size_t length = strlen(text);
    for (const char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            return false;
    return length > 0 && length < limit;
}

/* "812.4", whatever the locale. */
static bool read_number(const char *text, double *out)
{
    double unit = 0.0;
    *out = 0.0;
    if (*text < '0' || *text > '9' || strlen(text) > 20)
        return false;
    for (; (*text >= '0' && *text <= '9') || (*text == '.' && unit == 0.0); text++) {
        if (*text == '.')
            unit = 1.0;
        else if (unit == 0.0)
            *out = *out * 10.0 + (*text - '0');
        else
            *out += (unit /= 10.0) * (*text - '0');
    }
    return *text == '\0';
}

/* key, tab, value, tab, microseconds. */
static void read_record(char *line, rt_records *out)
{
    char *value = strchr(line, '\t'), *number = value ? strchr(value + 1, '\t') : NULL;
    double microseconds;
    if (number == NULL)
        return;
    *value++ = *number++ = '\0';
    if (read_number(number, &microseconds) && printable(line, RECORD_KEY) && printable(value, RECORD_VALUE))
        (void)records_put(out, line, value, microseconds, false, NULL);
}

/* Units that the file was measured on; 0: it does not say. */
static bool units_fit(const char *line, unsigned units)
{
    unsigned measured = (unsigned)strtoul(line + strlen(UNITS), NULL, 10);
    return measured == 0 || units == 0 || (units <= measured * UNITS_APART && measured <= units * UNITS_APART);
}

/* Adds the file's records, if it is of our format and has the line that says whom it is for: else false. */
static bool read_file(const char *path, const char *whom, unsigned units, rt_records *out)
{
    char *data = NULL, *at, *line;
    size_t size;
    bool ours = false, format = false;
    if (file_read(path, LARGEST_FILE, &data, &size, NULL) != CONVOY_OK)
        return false;
    at = data;
    while ((line = next_line(&at)) != NULL) {
        if (line == data)
            format = strcmp(line, FORMAT) == 0;
        else if (strcmp(line, whom) == 0)
            ours = format;
        else if (strncmp(line, UNITS, strlen(UNITS)) == 0 && !units_fit(line, units))
            break;
        else if (line[0] != '#' && ours)
            read_record(line, out);
    }
    free(data);
    return ours;
}

static void class_line(const convoy_context *ctx, char *out, size_t size)
{
    snprintf(out, size, "# class: %s", rt_device_class(ctx));
}

void records_load(convoy_context *ctx)
{
    char line[1024], path[PATH_MAX], name[64];
    if (!ctx->tuning)
        return;
    device_line(ctx, line, sizeof line);
    if (user_path(ctx, line, path, sizeof path))
        (void)read_file(path, line, 0, &ctx->records[RECORDS_USER]);
    class_line(ctx, line, sizeof line);
    snprintf(name, sizeof name, "tune/%s.txt", rt_device_class(ctx));
    if (file_find_data(name, path, sizeof path))
        (void)read_file(path, line, ctx->info.compute_units, &ctx->records[RECORDS_SHIPPED]);
}

/* ---- writing ---- */

static void add_date(text *t)
{
    char date[16] = "";
    time_t now = time(NULL);
    struct tm parts;
    if (gmtime_r(&now, &parts) != NULL)
        strftime(date, sizeof date, "%Y-%m-%d", &parts);
    text_add(t, "# date: %s\n", date);
}

static void add_records(text *t, const rt_records *r)
{
    text_add(t, "# key, value, measured microseconds; a key that begins with !: a value that ran too long or did not work\n");
    for (size_t i = 0; i < r->count; i++) {
        long long tenths = llround(r->items[i].microseconds * 10.0);
        text_add(t, "%s\t%s\t%lld.%lld\n", r->items[i].key, r->items[i].value, tenths / 10, tenths % 10);
    }
}

static convoy_status write_text(text *t, const char *path, convoy_error *err)
{
    convoy_status status = t->failed ? OUT_OF_MEMORY(err) : file_write(path, t->data, t->length, err);
    text_free(t);
    return status;
}

convoy_status rt_records_save(const convoy_context *ctx, char *path, size_t size, convoy_error *err)
{
    const rt_records *known = &ctx->records[RECORDS_USER];
    char line[1024], folder[sizeof ctx->cache_dir + 8];
    rt_records all = {0};
    convoy_status status = CONVOY_OK;
    device_line(ctx, line, sizeof line);
    path[0] = '\0';
    if (ctx->cache_dir[0] == '\0')
        return CONVOY_OK;
    if (!user_path(ctx, line, path, size))
        return base_fail(err, CONVOY_ERROR_FILE, "%.60s...: the path is too long", ctx->cache_dir);
    snprintf(folder, sizeof folder, "%s/tune", ctx->cache_dir);
    TRY(file_make_folder(folder, err));
    (void)read_file(path, line, 0, &all); /* another process may have written since */
    for (size_t i = 0; i < known->count; i++)
        if (known->items[i].fresh)
            TRY_GOTO(records_put(&all, known->items[i].key, known->items[i].value, known->items[i].microseconds, false,
                                 err));
    text t = {0};
    text_add(&t, FORMAT "\n%s\n", line);
    add_date(&t);
    add_records(&t, &all);
    status = write_text(&t, path, err);
done:
    records_clear(&all);
    return status;
}

convoy_status rt_records_export(const convoy_context *ctx, const char *path, const char *how, const rt_record *items,
                                size_t count, convoy_error *err)
{
    char line[64];
    rt_records all = {0};
    convoy_status status = CONVOY_OK;
    class_line(ctx, line, sizeof line);
    if (file_exists(path) && !read_file(path, line, 0, &all))
        return base_fail(err, CONVOY_ERROR_FILE, "%s: is there and has no tuning records for %s; name another file", path,
                         rt_device_class(ctx));
    for (size_t i = 0; i < count; i++)
        TRY_GOTO(records_put(&all, items[i].key, items[i].value, items[i].microseconds, false, err));
    text t = {0};
    text_add(&t, FORMAT "\n%s\n" UNITS "%u\n", line, ctx->info.compute_units);
    add_date(&t);
    text_add(&t, "# how: %s\n", how);
    add_records(&t, &all);
    status = write_text(&t, path, err);
done:
    records_clear(&all);
    return status;
}
