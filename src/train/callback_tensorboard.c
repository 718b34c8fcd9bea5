/* TensorBoard, after keras/src/callbacks/tensorboard.py: the scalars of an epoch under train/ and validation/, and how the
 * weights are spread and look. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "train/callback.h"
#include "train/event_file.h"
#include "train/weight_images.h"

typedef struct tensorboard {
    char log_dir[OPTION_TEXT_SIZE];
    int histogram_freq, update_freq;
    bool write_steps_per_second, write_images;
    event_file *train, *validation; /* made when there is something for them */
} tensorboard;

static const char *const frequencies[] = {"epoch", NULL};

#define AT(member) .offset = offsetof(tensorboard, member)
static const option options[] = {
    {.name = "log_dir", .kind = OPTION_TEXT, AT(log_dir), .standard = "\"logs\""},
    {.name = "histogram_freq", .kind = OPTION_INT, AT(histogram_freq), .standard = "0", .most = INT_MAX},
    {.name = "write_images", .kind = OPTION_BOOL, AT(write_images), .standard = "false"},
    {.name = "write_steps_per_second", .kind = OPTION_BOOL, AT(write_steps_per_second), .standard = "false"},
    {.name = "update_freq", .kind = OPTION_CHOICE, AT(update_freq), .standard = "\"epoch\"", .choices = frequencies},
    {0}};

static convoy_status open_part(const tensorboard *t, const char *part, event_file **file, convoy_error *err)
{
    char folder[OPTION_TEXT_SIZE + 16];
    if (*file != NULL)
        return CONVOY_OK;
    snprintf(folder, sizeof folder, "%s/%s", t->log_dir, part);
    return event_file_create(folder, file, err);
}

static convoy_status write_named(event_file *file, const char *format, const char *name, int64_t step, double value,
                                 convoy_error *err)
{
    char tag[128];
    snprintf(tag, sizeof tag, format, name);
    return event_file_scalar(file, tag, step, (float)value, err);
}

static convoy_status write_train(tensorboard *t, callback_run *run, int epoch, const callback_logs *logs,
                                 convoy_error *err)
{
    TRY(open_part(t, "train", &t->train, err));
    for (int i = 0; i < logs->count; i++)
        if (strncmp(logs->row[i].name, "val_", 4) != 0 && strcmp(logs->row[i].name, "learning_rate") != 0)
            TRY(write_named(t->train, "epoch_%s", logs->row[i].name, epoch, logs->row[i].value, err));
    TRY(event_file_scalar(t->train, "epoch_learning_rate", epoch, (float)trainer_rate(run->trainer), err));
    if (t->write_steps_per_second && run->seconds > 0)
        TRY(event_file_scalar(t->train, "epoch_steps_per_second", epoch, (float)((double)run->steps / run->seconds), err));
    return CONVOY_OK;
}

static convoy_status write_validation(tensorboard *t, callback_run *run, int epoch, const callback_logs *logs,
                                      convoy_error *err)
{
    static const char *const formats[] = {"evaluation_%s_vs_iterations", "epoch_%s"};
    for (int kind = 0; kind < 2; kind++)
        for (int i = 0; i < logs->count; i++) {
            if (strncmp(logs->row[i].name, "val_", 4) != 0)
                continue;
            TRY(open_part(t, "validation", &t->validation, err));
            TRY(write_named(t->validation, formats[kind], logs->row[i].name + 4,
                            kind == 0 ? (int64_t)trainer_steps(run->trainer) : epoch, logs->row[i].value, err));
        }
    return t->validation ? event_file_flush(t->validation, err) : CONVOY_OK;
}

static convoy_status write_weights(tensorboard *t, callback_run *run, int epoch, convoy_error *err)
{
    const convoy_model *model = run->model;
    char tag[512];
    TRY(trainer_download_weights(run->trainer, err));
    for (size_t i = 0; i < model->node_count; i++)
        for (int p = 0; model_is_first(model, i) && p < model->nodes[i].layer->param_count; p++) {
            const layer *l = model->nodes[i].layer;
            snprintf(tag, sizeof tag, "%s/%s/%s/histogram", model->name, l->name, l->param[p].name);
            TRY(event_file_histogram(t->train, tag, epoch, model->nodes[i].weights[p], l->param[p].count, err));
            snprintf(tag, sizeof tag, "%s/%s/%s/image", model->name, l->name, l->param[p].name);
            if (t->write_images)
                TRY(weight_images_write(t->train, tag, epoch, &l->param[p], model->nodes[i].weights[p], err));
        }
    return CONVOY_OK;
}

static convoy_status epoch_end(void *state, callback_run *run, int epoch, callback_logs *logs, convoy_error *err)
{
    tensorboard *t = state;
    TRY(write_validation(t, run, epoch, logs, err));
    TRY(write_train(t, run, epoch, logs, err));
    if (t->histogram_freq && epoch % t->histogram_freq == 0)
        TRY(write_weights(t, run, epoch, err));
    return event_file_flush(t->train, err);
}

static void destroy(void *state)
{
    tensorboard *t = state;
    event_file_close(t->train);
    event_file_close(t->validation);
}

const callback_class tensorboard_callback = {
    .name = "TensorBoard", .state_size = sizeof(tensorboard), .options = options, .epoch_end = epoch_end, .destroy = destroy};
