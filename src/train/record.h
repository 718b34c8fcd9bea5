/* What a run needs to be gone on with, kept in its model and its .keras file: how many epochs are done, what they gave, and what
 * the callbacks know. */
#ifndef RECORD_H
#define RECORD_H

#include "train/callback.h"

typedef struct record {
    json_t *history;    /* a list of objects, one an epoch: loss, metrics, learning_rate; owned */
    int epochs;         /* done */
    uint64_t shuffles;  /* the number of the next epoch's order of the images */
} record;

/* Begins a run: with initial_epoch 0 an empty one, else the one that the model was saved with after that epoch. Where that is not
 * there, *out has initial_epoch epochs without a history, and the callbacks, if any keeps something, start afresh with a word.
 * `shuffles` is what counts without a record. */
convoy_status record_begin(callback_run *run, callbacks *all, int initial_epoch, uint64_t shuffles, record *out,
                           convoy_error *err);

/* An epoch is done. */
convoy_status record_epoch(record *r, const convoy_epoch *epoch, convoy_error *err);

/* Writes it into the model, whose weights are those of the device now. */
convoy_status record_keep(const record *r, callback_run *run, const callbacks *all, convoy_error *err);
void record_free(record *r);

/* The epochs that a model's record holds: row i's logs go to *out; false past the last one, and where there is no record of
 * `epochs` epochs. */
bool record_row(const convoy_model *model, int epochs, size_t i, callback_logs *out);

/* A number that JSON may not have: not finite ones are words. */
json_t *record_number(double value);
double record_number_value(const json_t *json);

#endif
