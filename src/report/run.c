#include "report/run.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

#define MOST_BYTES ((size_t)64 << 20)

/* ---- files ---- */

/* *there is false, and nothing is wrong, where the run has no such file. */
static convoy_status find_file(const report_run *r, const char *name, char path[PATH_MAX], bool *there, convoy_error *err)
{
    int n = snprintf(path, PATH_MAX, "%s/%s", r->folder, name);
    if (n < 0 || n >= PATH_MAX)
        return base_fail(err, CONVOY_ERROR_FILE, "%.60s...: the path is too long", r->folder);
    *there = file_exists(path);
    return CONVOY_OK;
}

/* An object; *out stays as it is where there is no such file. */
static convoy_status read_json(const report_run *r, const char *name, json_t **out, convoy_error *err)
{
    char path[PATH_MAX], *data = NULL;
    size_t size = 0;
    bool there = false;
    json_error_t where;
    TRY(find_file(r, name, path, &there, err));
    if (!there)
        return CONVOY_OK;
    TRY(file_read(path, MOST_BYTES, &data, &size, err));
    *out = json_loadb(data, size, 0, &where);
    free(data);
    if (*out == NULL)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: no JSON: line %d: %s", path, where.line, where.text);
    if (!json_is_object(*out))
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: a JSON object is expected", path);
    return CONVOY_OK;
}

static convoy_status read_info(report_run *r, convoy_error *err)
{
    if (!file_is_folder(r->folder))
        return base_fail(err, CONVOY_ERROR_FILE, "%s: %s; name the folder of a run, which convoy train MODEL --data DATA --run "
                         "DIR makes", r->folder, file_exists(r->folder) ? "is not a folder" : "there is no such folder");
    TRY(read_json(r, "run.json", &r->info, err));
    if (r->info == NULL)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: there is no run.json in it, so it is no run's folder; convoy train MODEL "
                         "--data DATA --run DIR makes one", r->folder);
    return CONVOY_OK;
}

static convoy_status read_launches(report_run *r, convoy_error *err)
{
    json_t *all = NULL;
    TRY(read_json(r, "launches.json", &all, err));
    json_t *rows = json_object_get(all, "launches");
    bool bad = all != NULL && !json_is_array(rows);
    r->launches = bad || rows == NULL ? NULL : json_incref(rows);
    json_decref(all);
    if (bad)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s/launches.json: it has no list \"launches\"", r->folder);
    return CONVOY_OK;
}

static convoy_status read_history(report_run *r, convoy_error *err)
{
    char path[PATH_MAX], *csv = NULL;
    size_t size = 0;
    bool there = false;
    TRY(find_file(r, "history.csv", path, &there, err));
    if (!there)
        return CONVOY_OK;
    TRY(file_read(path, MOST_BYTES, &csv, &size, err));
    convoy_status status = history_parse(csv, &r->history, err);
    free(csv);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "%s", path);
}

static convoy_status read_model(report_run *r, convoy_error *err)
{
    char path[PATH_MAX];
    bool there = false;
    TRY(find_file(r, "model.keras", path, &there, err));
    return there ? convoy_model_load(path, &r->model, err) : CONVOY_OK;
}

/* The last part of the folder's path; "." and the like are called what they are. */
static void choose_name(report_run *r)
{
    size_t end = strlen(r->folder), start;
    while (end > 1 && r->folder[end - 1] == '/')
        end--;
    for (start = end; start > 0 && r->folder[start - 1] != '/'; start--)
        ;
    start = start < end ? start : 0; /* "/" */
    snprintf(r->name, sizeof r->name, "%.*s", (int)(end - start), r->folder + start);
    char full[PATH_MAX];
    if ((strcmp(r->name, ".") == 0 || strcmp(r->name, "..") == 0) && realpath(r->folder, full) != NULL && strlen(full) > 1)
        snprintf(r->name, sizeof r->name, "%.255s", strrchr(full, '/') + 1);
}

convoy_status run_open(const char *folder, report_run *out, convoy_error *err)
{
    convoy_status status;
    *out = (report_run){.folder = folder};
    choose_name(out);
    TRY_GOTO(read_info(out, err));
    TRY_GOTO(read_history(out, err));
    TRY_GOTO(read_launches(out, err));
    TRY_GOTO(read_model(out, err));
    return CONVOY_OK;
done:
    run_close(out);
    return status;
}

void run_close(report_run *r)
{
    json_decref(r->info);
    json_decref(r->launches);
    free(r->history.rows);
    convoy_model_destroy(r->model);
    *r = (report_run){0};
}

/* ---- values ---- */

const json_t *run_value(const report_run *r, const char *path)
{
    const json_t *at = r->info;
    while (at != NULL && *path != '\0') {
        char key[64];
        size_t length = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)length, path);
        at = json_object_get(at, key);
        path += length + (path[length] == '.');
    }
    return json_is_null(at) ? NULL : at;
}

const char *run_text(const report_run *r, const char *path) { return json_string_value(run_value(r, path)); }

double run_number(const report_run *r, const char *path)
{
    const json_t *value = run_value(r, path);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

bool run_has_argument(const report_run *r, const char *word)
{
    const json_t *command = run_value(r, "command");
    for (size_t i = 0; i < json_array_size(command); i++) {
        const char *argument = json_string_value(json_array_get(command, i));
        if (argument != NULL && strcmp(argument, word) == 0)
            return true;
    }
    return false;
}

const char *run_class_name(const report_run *r, int label, char number[16])
{
    const char *name = json_string_value(json_array_get(run_value(r, "data.class_names"), (size_t)label));
    if (name == NULL && r->model != NULL)
        name = convoy_model_class_name(r->model, (size_t)label);
    snprintf(number, 16, "%d", label);
    return name != NULL && name[0] != '\0' ? name : number;
}
