/* convoy devices: every platform and device, which one would be used and why, and why others can't be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* What was measured of the device's driver, or why that can't be told. Opens the device; the first time it measures. */
static void measured_text(const convoy_device_info *d, char *out, size_t size)
{
    convoy_error err = {0};
    convoy_context *ctx = NULL;
    char address[32];
    snprintf(address, sizeof address, "%d:%d", d->platform, d->device);
    if (convoy_context_create(&(convoy_context_options){.device = address}, &ctx, &err) != CONVOY_OK) {
        snprintf(out, size, "does not open: %.400s", err.message);
        return;
    }
    const char *text = convoy_context_measured(ctx);
    snprintf(out, size, "%s", text[0] ? text : "nothing is measured of it");
    convoy_context_destroy(ctx);
}

/* ---- JSON ---- */

static json_t *device_json(const convoy_device_info *d)
{
    char address[32];
    snprintf(address, sizeof address, "%d:%d", d->platform, d->device);
    return json_pack("{s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:s?, s:b, s:s?}",
                     "device", d->device < 0 ? json_null() : json_string(address),
                     "platform", d->platform_name,
                     "type", d->device < 0 ? "none" : convoy_device_type_name(d->type),
                     "name", d->name,
                     "vendor", d->vendor,
                     "opencl_version", d->version,
                     "driver_version", d->driver,
                     "opencl_c_version", d->opencl_c,
                     "compute_units", (json_int_t)d->compute_units,
                     "native_vector_width_float", (json_int_t)d->native_vector_width_float,
                     "global_memory", (json_int_t)d->global_memory,
                     "max_allocation", (json_int_t)d->max_allocation,
                     "local_memory", (json_int_t)d->local_memory,
                     "usable", (int)d->usable,
                     "rejected", d->usable ? NULL : d->rejected,
                     "default", (int)d->is_default,
                     "why_default", d->is_default ? d->why_default : NULL);
}

static int print_json(const convoy_device_info *devices, size_t count, bool verbose)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < count; i++) {
        char text[512] = "";
        json_t *row = device_json(&devices[i]);
        if (verbose && devices[i].usable)
            measured_text(&devices[i], text, sizeof text);
        if (row != NULL && json_object_set_new(row, "measured", text[0] ? json_string(text) : json_null()) != 0) {
            json_decref(row);
            row = NULL;
        }
        if (row == NULL || json_array_append_new(rows, row) != 0) {
            json_decref(rows);
            return cli_print_json(NULL);
        }
    }
    return cli_print_json(json_pack("{s:o}", "devices", rows));
}

/* ---- the table ---- */

typedef struct cells {
    char address[32], type[16], name[128], units[16], memory[24], opencl[64], driver[128];
} cells;

static void memory_text(uint64_t bytes, char *out, size_t size)
{
    double gib = (double)bytes / (1024.0 * 1024.0 * 1024.0);
    if (gib >= 1.0)
        snprintf(out, size, "%.1f GiB", gib);
    else
        snprintf(out, size, "%.0f MiB", gib * 1024.0);
}

/* "OpenCL 3.0 PoCL HSTR: ..." -> "3.0": the rest of it is told elsewhere. */
static void opencl_text(const char *version, char *out, size_t size)
{
    const char *start = strncmp(version, "OpenCL ", 7) == 0 ? version + 7 : version;
    snprintf(out, size, "%.*s", (int)strcspn(start, " "), start);
}

static cells device_cells(const convoy_device_info *d)
{
    cells c = {0};
    snprintf(c.address, sizeof c.address, "%d:%d", d->platform, d->device);
    snprintf(c.type, sizeof c.type, "%s", convoy_device_type_name(d->type));
    snprintf(c.name, sizeof c.name, "%s", d->name);
    snprintf(c.units, sizeof c.units, "%u", d->compute_units);
    memory_text(d->global_memory, c.memory, sizeof c.memory);
    opencl_text(d->version, c.opencl, sizeof c.opencl);
    snprintf(c.driver, sizeof c.driver, "%s", d->driver);
    return c;
}

/* Columns as wide as their widest cell; the last one needs no width. */
typedef struct widths {
    int address, type, name, units, memory, opencl;
} widths;

static void widen(int *width, const char *cell)
{
    int n = (int)strlen(cell);
    if (n > *width)
        *width = n;
}

static void widen_all(widths *w, const cells *c)
{
    widen(&w->address, c->address);
    widen(&w->type, c->type);
    widen(&w->name, c->name);
    widen(&w->units, c->units);
    widen(&w->memory, c->memory);
    widen(&w->opencl, c->opencl);
}

static void print_cells(char mark, const widths *w, const cells *c)
{
    printf("%c %-*s  %-*s  %-*s  %*s  %*s  %-*s  %s\n", mark, w->address, c->address, w->type, c->type, w->name,
           c->name, w->units, c->units, w->memory, c->memory, w->opencl, c->opencl, c->driver);
}

static void print_measured(const convoy_device_info *d, int indent)
{
    char text[512];
    measured_text(d, text, sizeof text);
    printf("  %*s  %s\n", indent, "", text);
}

static void print_table(const convoy_device_info *devices, size_t count, bool verbose)
{
    const cells head = {"P:D", "type", "name", "units", "memory", "OpenCL", "driver"};
    widths w = {0};
    widen_all(&w, &head);
    for (size_t i = 0; i < count; i++) {
        cells c = device_cells(&devices[i]);
        if (devices[i].device >= 0)
            widen_all(&w, &c);
    }
    print_cells(' ', &w, &head);
    for (size_t i = 0; i < count; i++) {
        const convoy_device_info *d = &devices[i];
        cells c = device_cells(d);
        if (i == 0 || devices[i - 1].platform != d->platform)
            printf("Platform %d: %s\n", d->platform, d->platform_name);
        if (d->device >= 0)
            print_cells(d->is_default ? '*' : ' ', &w, &c);
        if (!d->usable)
            printf("  %*s  not usable: %s\n", d->device < 0 ? 0 : w.address, "", d->rejected);
        else if (verbose)
            print_measured(d, w.address);
    }
}

static void print_default(const convoy_device_info *devices, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (devices[i].is_default)
            printf("\n* %d:%d is used unless -d/--device names another (%s).\n", devices[i].platform,
                   devices[i].device, devices[i].why_default);
}

/* When nothing is chosen, opening a device without a name says why; the exit code tells scripts. */
static int check_default(const convoy_device_info *devices, size_t count)
{
    convoy_error err = {0};
    convoy_context *ctx = NULL;
    for (size_t i = 0; i < count; i++)
        if (devices[i].is_default)
            return CLI_DONE;
    if (convoy_context_create(NULL, &ctx, &err) != CONVOY_OK)
        return cli_report(&err);
    convoy_context_destroy(ctx);
    return CLI_DONE;
}

int cmd_devices(int argc, char **argv)
{
    bool json = false, verbose = false;
    cli_option options[] = {
        {.name = "verbose", .kind = CLI_FLAG, .value = &verbose,
         .help = "also what was measured of each driver: how a * b + c is\nwritten, and how wide vectors are (CPUs)"},
        CLI_JSON_OPTION(&json), {0}};
    cli_command command = {
        .name = "devices",
        .arguments = "",
        .purpose = "Lists every OpenCL platform and device: which one is used and why, and why others can't be.",
        .options = options,
    };
    int code = cli_parse(&command, argc, argv, NULL);
    if (code != CLI_RUN)
        return code;

    convoy_error err = {0};
    convoy_device_info *devices;
    size_t count;
    if (convoy_devices_list(&devices, &count, &err) != CONVOY_OK)
        return cli_report(&err);
    code = CLI_DONE;
    if (json)
        code = print_json(devices, count, verbose);
    else if (count > 0)
        print_table(devices, count, verbose);
    if (!json)
        print_default(devices, count);
    fflush(stdout); /* the table before what stderr has to say about it */
    int chosen = check_default(devices, count);
    free(devices);
    return code != CLI_DONE ? code : chosen;
}
