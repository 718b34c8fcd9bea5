/* Chooses a device: by P:D, by class, by a part of a name; or the first of the fastest class. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "runtime/device.h"

#define HOW_TO_NAME                                                                                                    \
    "give P:D (platform and device as clinfo numbers them), gpu, cpu, accelerator, or a part of a name"
#define WHAT_TO_INSTALL                                                                                                \
    "On Debian, pocl-opencl-icd makes the CPU a device; for a GPU install its vendor's driver "                        \
    "(mesa-opencl-icd for AMD, intel-opencl-icd for Intel, nvidia-opencl-icd for NVIDIA)"

const char *device_environment(void)
{
    const char *value = getenv("CONVOY_DEVICE");
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* ---- the default ---- */

static const char *class_title(convoy_device_type type)
{
    switch (type) {
    case CONVOY_DEVICE_CPU: return "CPU";
    case CONVOY_DEVICE_ACCELERATOR: return "accelerator";
    case CONVOY_DEVICE_GPU: return "GPU";
    case CONVOY_DEVICE_OTHER: break;
    }
    return "other device";
}

/* The first usable row of the fastest class (the type's values are in that order); `count` when there is none. */
static size_t fastest(const device_row *rows, size_t count)
{
    size_t best = count;
    for (size_t i = 0; i < count; i++)
        if (rows[i].info.usable && (best == count || rows[i].info.type > rows[best].info.type))
            best = i;
    return best;
}

static void explain_default(device_row *rows, size_t count, size_t chosen)
{
    convoy_device_info *info = &rows[chosen].info;
    size_t usable = 0, same = 0;
    for (size_t i = 0; i < count; i++) {
        usable += rows[i].info.usable;
        same += rows[i].info.usable && rows[i].info.type == info->type;
    }
    const char *title = class_title(info->type);
    if (usable == 1)
        text_copy(info->why_default, sizeof info->why_default, "the only usable device");
    else if (same == 1)
        snprintf(info->why_default, sizeof info->why_default, "the only %s", title);
    else
        snprintf(info->why_default, sizeof info->why_default, "fastest class here: %s; the first of %zu", title, same);
}

void device_rows_mark_default(device_row *rows, size_t count)
{
    const char *wish = device_environment();
    size_t chosen = count;
    if (wish == NULL) {
        chosen = fastest(rows, count);
        if (chosen < count)
            explain_default(rows, count, chosen);
    } else if (device_rows_match(rows, count, wish, "CONVOY_DEVICE", &chosen, NULL) == CONVOY_OK) {
        convoy_device_info *info = &rows[chosen].info;
        snprintf(info->why_default, sizeof info->why_default, "CONVOY_DEVICE=%.100s", wish);
    } else {
        chosen = count;
    }
    if (chosen < count)
        rows[chosen].info.is_default = true;
}

/* ---- messages ---- */

/* One indented line a row, without the last newline. */
static void list_rows(text *t, const device_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const convoy_device_info *info = &rows[i].info;
        if (info->device < 0)
            text_add(t, "\n  %d:-  %s", info->platform, info->platform_name);
        else
            text_add(t, "\n  %d:%d  %s  %s (%s)", info->platform, info->device, convoy_device_type_name(info->type),
                     info->name, info->platform_name);
        if (!info->usable)
            text_add(t, " - not usable: %s", info->rejected);
    }
}

/* Fails with "ORIGIN 'SELECTOR': WHAT" and the devices there are. */
static convoy_status fail_choice(const device_row *rows, size_t count, const char *origin, const char *selector,
                                 const char *what, convoy_error *err)
{
    text list = {0};
    char *lines = NULL;
    list_rows(&list, rows, count);
    TRY(text_take(&list, &lines, err));
    convoy_status status = base_fail(err, CONVOY_ERROR_NO_DEVICE, "%s '%.200s': %s. The devices here:%s", origin,
                                     selector, what, lines);
    free(lines);
    return status;
}

static convoy_status fail_nothing(const device_row *rows, size_t count, convoy_error *err)
{
    const char *vendors = getenv("OCL_ICD_VENDORS");
    text list = {0};
    char *lines = NULL;
    list_rows(&list, rows, count);
    TRY(text_take(&list, &lines, err));
    convoy_status status;
    if (count > 0)
        status = base_fail(err, CONVOY_ERROR_NO_DEVICE, "no usable OpenCL device. " WHAT_TO_INSTALL
                           ". What is here:%s", lines);
    else if (vendors != NULL)
        status = base_fail(err, CONVOY_ERROR_NO_DEVICE, "no OpenCL platform: OCL_ICD_VENDORS is set to '%s', so only "
                           "the drivers named there are seen, and none was found; unset it or correct it. "
                           WHAT_TO_INSTALL, vendors);
    else
        status = base_fail(err, CONVOY_ERROR_NO_DEVICE, "no OpenCL platform is installed. " WHAT_TO_INSTALL);
    free(lines);
    return status;
}

/* ---- selectors ---- */

typedef enum selector_kind { BY_NUMBER, BY_CLASS, BY_NAME, BARE_NUMBER } selector_kind;

typedef struct selector {
    selector_kind kind;
    const char *text;
    int platform, device;
    convoy_device_type type;
    bool exact; /* whole names only */
} selector;

static bool all_digits(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isdigit((unsigned char)s[i]))
            return false;
    return n > 0 && n < 9;
}

static selector parse_selector(const char *s)
{
    selector sel = {.kind = BY_NAME, .text = s};
    const char *colon = strchr(s, ':');
    if (colon != NULL && all_digits(s, (size_t)(colon - s)) && all_digits(colon + 1, strlen(colon + 1))) {
        sel.kind = BY_NUMBER;
        sel.platform = atoi(s);
        sel.device = atoi(colon + 1);
        return sel;
    }
    if (strspn(s, "0123456789") == strlen(s)) {
        sel.kind = BARE_NUMBER;
        return sel;
    }
    for (convoy_device_type type = CONVOY_DEVICE_CPU; type <= CONVOY_DEVICE_GPU; type++) {
        if (strcasecmp(s, convoy_device_type_name(type)) == 0) {
            sel.kind = BY_CLASS;
            sel.type = type;
        }
    }
    return sel;
}

static bool contains(const char *name, const char *part)
{
    size_t n = strlen(part);
    for (; strlen(name) >= n; name++)
        if (strncasecmp(name, part, n) == 0)
            return true;
    return false;
}

static bool matches(const convoy_device_info *info, const selector *sel)
{
    switch (sel->kind) {
    case BY_NUMBER: return info->platform == sel->platform && info->device == sel->device;
    case BY_CLASS: return info->device >= 0 && info->type == sel->type;
    case BY_NAME:
        if (sel->exact)
            return strcasecmp(info->name, sel->text) == 0;
        return contains(info->name, sel->text) || contains(info->platform_name, sel->text);
    case BARE_NUMBER: break;
    }
    return false;
}

typedef struct match_count {
    size_t usable, unusable, first_usable, first_unusable;
} match_count;

static match_count count_matches(const device_row *rows, size_t count, const selector *sel)
{
    match_count found = {0};
    for (size_t i = 0; i < count; i++) {
        if (!matches(&rows[i].info, sel))
            continue;
        if (rows[i].info.usable && found.usable++ == 0)
            found.first_usable = i;
        if (!rows[i].info.usable && found.unusable++ == 0)
            found.first_unusable = i;
    }
    return found;
}

convoy_status device_rows_match(const device_row *rows, size_t count, const char *wish, const char *origin,
                                size_t *index, convoy_error *err)
{
    selector sel = parse_selector(wish);
    char what[600];
    if (count == 0)
        return fail_nothing(rows, count, err);
    if (sel.kind == BARE_NUMBER)
        return fail_choice(rows, count, origin, wish, "a number alone does not name a device; " HOW_TO_NAME, err);
    /* A whole name wins over names that merely contain it ("RX 560" beside "RX 560X"). */
    sel.exact = sel.kind == BY_NAME;
    match_count found = count_matches(rows, count, &sel);
    if (sel.exact && found.usable + found.unusable == 0) {
        sel.exact = false;
        found = count_matches(rows, count, &sel);
    }
    if (found.usable == 1) {
        *index = found.first_usable;
        return CONVOY_OK;
    }
    if (found.usable > 1) {
        snprintf(what, sizeof what, "%zu devices match; name one, as P:D for instance", found.usable);
    } else if (found.unusable > 0) {
        const convoy_device_info *info = &rows[found.first_unusable].info;
        snprintf(what, sizeof what, "%s can't be used: %s", info->device < 0 ? info->platform_name : info->name,
                 info->rejected);
    } else {
        snprintf(what, sizeof what, "no device matches; " HOW_TO_NAME);
    }
    return fail_choice(rows, count, origin, wish, what, err);
}

convoy_status rt_device_select(const char *wish, cl_device_id *out, convoy_device_info *info, convoy_error *err)
{
    device_row *rows;
    size_t count, chosen = 0;
    const char *origin = "device";
    convoy_status status = CONVOY_OK;
    if (wish == NULL || wish[0] == '\0') {
        wish = device_environment();
        origin = "CONVOY_DEVICE";
    }
    TRY(device_rows_list(&rows, &count, err));
    if (wish != NULL) {
        TRY_GOTO(device_rows_match(rows, count, wish, origin, &chosen, err));
    } else {
        chosen = fastest(rows, count);
        if (chosen == count)
            TRY_GOTO(fail_nothing(rows, count, err));
    }
    *out = rows[chosen].id;
    *info = rows[chosen].info;
done:
    free(rows);
    return status;
}
