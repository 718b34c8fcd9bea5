/* What a run's model makes of the test images: every prediction, and what each layer gives for one of them. */
#ifndef REPORT_EVALUATION_H
#define REPORT_EVALUATION_H

#include "convoy/dataset.h"
#include "convoy/device.h"
#include "convoy/outputs.h"
#include "report/run.h"

typedef struct evaluation {
    char why_no_images[2048];      /* why there are none of the pictures that show images; empty: there are */
    char why_no_predictions[2048]; /* the same of what the model says to them */
    convoy_dataset *images;        /* the test part; NULL: none */
    double scale;                  /* what their pixels are divided by */
    bool unmatched;                /* the images' classes are not the model's, so their labels have names of their own */
    /* NULL without predictions: */
    float *probabilities; /* (images, classes) */
    int *guess;           /* the likeliest class of each image */
    convoy_outputs outputs;
    int classes;          /* that they tell apart */
    size_t right;         /* how many guesses are */
    size_t shown;         /* the image that `activations` are of */
    float **activations;  /* of each layer, as convoy_model_layer_name counts */
    size_t layer_count;
} evaluation;

/* `data` NULL and `scale` 0: as run.json says. That there is no such data, or that it does not fit, is no failure. */
convoy_status evaluation_run(convoy_context *ctx, const report_run *r, const char *data, double scale, evaluation *out,
                      convoy_error *err);
void evaluation_free(evaluation *l);

/* What class `label` is called: by the run, its model or the images, or else its number, which is written to `number`. */
const char *evaluation_class_name(const evaluation *l, const report_run *r, int label, char number[16]);

static inline float evaluation_probability(const evaluation *l, size_t image, int label)
{
    return l->probabilities[image * (size_t)l->classes + (size_t)label];
}

#endif
