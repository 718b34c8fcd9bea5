/* The variants of a convolution pass. A variant is a row: its name, its parameters and what they may be, the shapes and devices
 * it fits, how its launches are appended. Dispatcher, tests, `convoy check` and the tuner read the same rows. */
#ifndef OPS_CONV2D_VARIANT_H
#define OPS_CONV2D_VARIANT_H

#include "ops/conv2d/conv2d.h"

enum { CONV_MAX_VALUES = 12 };

/* A tuning parameter: a macro of the kernel, or a number that only the launch needs. */
typedef struct conv_param {
    const char *name;             /* UPPER_CASE */
    int values[CONV_MAX_VALUES];  /* what the tuner tries; ends with a 0. All are positive */
} conv_param;

/* One pass over one shape. */
typedef struct conv_problem {
    conv_pass pass;
    const conv_shape *shape;
    int batch; /* images, at most */
} conv_problem;

/* What an `add` appends. */
typedef struct conv_job {
    conv_problem problem;
    const char *layer;        /* for labels */
    const char *role;         /* the layer's pass that this is, a literal; NULL: the same */
    epilogue end;             /* what follows y or dx */
    const conv_buffers *buffers;
    const int *params;
    const char *variant_text; /* for rt_launch.variant */
} conv_job;

typedef struct conv_variant {
    const char *name;    /* "vec_images": unique within a pass */
    const char *family;  /* "vec", "tile", "plain" or "gemm": see rt_variant and rt_gemm */
    conv_pass pass;
    bool grouped;        /* is it for shapes of several groups, which the others are not for? */
    conv_param params[CONV_MAX_PARAMS]; /* ends with a NULL name where there are fewer */
    /* Does it compute this problem on this device with these parameters? NULL: always. */
    bool (*fits)(const convoy_context *ctx, const conv_problem *p, const int *params);
    /* The parameters to use untuned. NULL: it has none. May give ones that do not fit: then the variant does not. */
    void (*defaults)(const convoy_context *ctx, const conv_problem *p, int *params);
    /* Parameters that ask less of the device and no more scratch, for when `add` failed; false when there are none. NULL: none. */
    bool (*smaller)(const convoy_context *ctx, const conv_problem *p, int *params);
    /* Floats of conv_buffers.scratch. NULL: none. */
    size_t (*scratch)(const convoy_context *ctx, const conv_problem *p, const int *params);
    /* Forward: does it follow from the weights alone? Then `add` heeds conv_buffers.weights_stay. */
    bool scratch_of_weights;
    convoy_status (*add)(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err);
    /* Forward: can it end in this pool? NULL: never. */
    bool (*pools)(const conv_problem *p, const int *params, const epilogue_pool *pool);
    /* Untuned, only where nothing else fits (say, because its rounding differs): the tuner and tests may still choose it. */
    bool only_tuned;
} conv_variant;

/* Row i of all, in the order of preference; NULL past the end. */
const conv_variant *conv_variant_at(size_t i);

/* What the dispatcher takes: the device's record for the problem where there is one that fits (see rt_record_choose: where this
 * batch size has none, that of the nearest), else the first row of the device's family that fits with its defaults. */
void conv_choose(const convoy_context *ctx, const conv_problem *p, conv_choice *out);
/* The latter, whatever the records say. */
void conv_choose_untuned(const convoy_context *ctx, const conv_problem *p, conv_choice *out);
/* Is the variant for this pass, its family allowed, and do the parameters fit? */
bool conv_choice_fits(const convoy_context *ctx, const conv_problem *p, const conv_choice *choice);
/* A variant with its defaults; false when they do not fit. */
bool conv_choice_defaults(const convoy_context *ctx, const conv_problem *p, const conv_variant *v, conv_choice *out);

/* Appends what the job's kernels say, or conv_choose; the job's params and variant_text are filled in. Where that fails because the
 * kernel does not build or needs more than the device has, takes the variant's next smaller parameters, in the end the plain one: the user
 * is told, the job's kernels say so, and for this context it is then the problem's record. A failure leaves the list as it was. */
convoy_status conv_add(rt_list *list, convoy_context *ctx, conv_job job, convoy_error *err);

/* "conv2d forward 15x15x32 3x3x64 stride 1x1 dilation 1x1 pad 0x0 out 13x13 batch 64": the key of a record. */
void conv_problem_key(const conv_problem *p, char *out, size_t size);
/* Reads such a key; the bias is not in it. False when it is none. */
bool conv_problem_parse(const char *key, conv_shape *shape, conv_problem *out);
/* "conv2d forward": a record under this key holds for every shape that has none of its own and that it fits. */
const char *conv_pass_key(conv_pass pass);
/* "vec_images VW=16 VECTORS=2 IMAGES=13": the value of a record, and what bench shows. */
void conv_choice_text(const conv_choice *choice, char *out, size_t size);
/* Reads such a text; a name alone stands for the variant's defaults. False when it names no variant of the pass, or misses a parameter,
 * or does not fit. */
bool conv_choice_parse(const convoy_context *ctx, const conv_problem *p, const char *text, conv_choice *out);

/* ---- for the variants' files ---- */

/* A launch with what all passes share filled in: label, shape options, parameters as -D options, flops and bytes. */
typedef struct conv_launch {
    rt_launch launch;
    char options[768], label[160];
} conv_launch;
void conv_launch_begin(conv_launch *l, const conv_job *job, const char *what, const char *source, const char *kernel);
/* Appends " -D..." text. */
void conv_launch_option(conv_launch *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The job's epilogue, and the work that its pool leaves; behind all arguments of the kernel's own. */
void conv_launch_finish(conv_launch *l, const conv_job *job);

/* What stands for the bias among a kernel's arguments: never read without USE_BIAS. */
static inline const rt_buffer *conv_bias(const conv_buffers *b) { return b->bias ? b->bias : b->w; }

size_t conv_weights(const conv_shape *s);       /* values of w */
size_t conv_inputs(const conv_shape *s);        /* values of x in an image */
size_t conv_outputs(const conv_shape *s);       /* values of y in an image */
int conv_group_inputs(const conv_shape *s);     /* channels of x in a group */
int conv_group_outputs(const conv_shape *s);    /* channels of y in it */
double conv_products(const conv_shape *s);      /* multiplications for an image, as the definition has them */
bool conv_padded(const conv_shape *s);          /* some window reaches outside the image */

/* scratch = w with its last two axes swapped, (kernel, kernel, out, in). */
convoy_status conv_add_transpose(rt_list *list, convoy_context *ctx, const conv_job *job, convoy_error *err);
/* dw and dbias from `chunks` partial ones in scratch, [chunk][weights, bias]. */
convoy_status conv_add_reduce(rt_list *list, convoy_context *ctx, const conv_job *job, int chunks, convoy_error *err);

/* The rows, by file. Each array ends with a row whose name is NULL. */
extern const conv_variant conv_gemm_variants[], conv_vec_variants[], conv_vec_filter_variants[], conv_images_variants[],
    conv_pointwise_variants[], conv_winograd_variants[], conv_winograd_adjoint_variants[], conv_winograd_filter_variants[],
    conv_tile_variants[], conv_groups_variants[], conv_plain_variants[];

#endif
