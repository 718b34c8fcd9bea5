/* InputLayer: names the shape of the images; no launches. */
#include "layers/layer.h"

typedef struct input_state {
    convoy_shape shape;
} input_state;

static const option options[] = {
    {.name = "batch_shape", .kind = OPTION_SHAPE, .offset = offsetof(input_state, shape), .standard = "null"},
    {.name = "batch_input_shape", .kind = OPTION_SHAPE, .offset = offsetof(input_state, shape), .standard = "null",
     .hidden = true}, /* Keras 2 */
    {.name = "shape", .kind = OPTION_SHAPE, .offset = offsetof(input_state, shape), .standard = "null", .hidden = true},
    {.name = "sparse", .kind = OPTION_IGNORED},
    {.name = "ragged", .kind = OPTION_IGNORED},
    {.name = "optional", .kind = OPTION_IGNORED},
    {0},
};

static convoy_status build(layer *l, convoy_error *err)
{
    const input_state *s = l->state;
    if (s->shape.rank == 0)
        return base_fail(err, CONVOY_ERROR_MODEL, "option 'shape' is missing; give shape=(height, width, channels)");
    l->output = s->shape;
    return CONVOY_OK;
}

static const layer_sample samples[] = {{0}};

const layer_class input_layer_class = {
    .name = "InputLayer",
    .snake = "input_layer",
    .keeps_range = true,
    .state_size = sizeof(input_state),
    .options = options,
    .samples = samples,
    .build = build,
};
