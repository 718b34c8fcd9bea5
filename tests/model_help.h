/* What the tests of the model room share. Each is a program of its own, so all is static. */
#ifndef MODEL_HELP_H
#define MODEL_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/model.h"

#define INPUT "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 8, 8, 3]}}"
#define MODEL(layers) "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"m\", \"layers\": [" layers "]}}"
#define LAYER(class, config) "{\"module\": \"keras.layers\", \"class_name\": \"" class "\", \"config\": {" config "}}"

/* Asserts the status and that the message holds each of the texts (NULL-terminated). */
static inline void assert_failed(convoy_status found, convoy_status expected, const convoy_error *err, ...)
{
    va_list texts;
    va_start(texts, err);
    assert_int_equal(found, expected);
    assert_int_equal(err->status, expected);
    for (const char *text; (text = va_arg(texts, const char *)) != NULL;)
        if (strstr(err->message, text) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", text, err->message);
    va_end(texts);
}

static inline convoy_model *from_json(const char *json)
{
    convoy_model *model = NULL;
    convoy_error err = {0};
    if (convoy_model_from_json(json, strlen(json), &model, &err) != CONVOY_OK)
        fail_msg("%s", err.message);
    return model;
}

static inline void assert_shape(convoy_shape found, int rank, int h, int w, int c)
{
    assert_int_equal(found.rank, rank);
    assert_int_equal(found.dim[0], h);
    if (rank == 3) {
        assert_int_equal(found.dim[1], w);
        assert_int_equal(found.dim[2], c);
    }
}

/* Reading what was written writes the same again. */
static inline void assert_round_trip(convoy_model *model)
{
    convoy_error err = {0};
    char *first = NULL, *second = NULL;
    assert_int_equal(convoy_model_to_json(model, &first, &err), CONVOY_OK);
    convoy_model *copy = from_json(first);
    assert_int_equal(convoy_model_to_json(copy, &second, &err), CONVOY_OK);
    assert_string_equal(first, second);
    assert_int_equal(convoy_model_parameter_count(copy), convoy_model_parameter_count(model));
    free(first);
    free(second);
    convoy_model_destroy(copy);
}

#endif
