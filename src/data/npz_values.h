/* The arrays of an .npz file: the values of one piece by piece, as memory may not hold all of them, and the guess what those of
 * images are. */
#ifndef DATA_NPZ_VALUES_H
#define DATA_NPZ_VALUES_H

#include "base/zip.h"
#include "data/data.h"
#include "data/npy.h"

#define NPZ_MEMBER_LIMIT ((size_t)1 << 42)

/* ---- npz_values.c ---- */

typedef struct npz_values {
    zip_stream *stream;
    uint8_t *head;   /* the member's first bytes; its values go on in the stream */
    size_t at, held; /* where in `head` the next values are, and where it ends */
    npy array;       /* without data */
} npz_values;

/* From the first value on; what was open before is closed. Zeros are closed. Messages begin with `name`, the member's. */
convoy_status npz_values_open(zip_archive *archive, const char *name, npz_values *out, convoy_error *err);
void npz_values_close(npz_values *v);

/* The next bytes of the values. */
convoy_status npz_values_bytes(npz_values *v, void *out, size_t size, convoy_error *err);

/* What is done with a piece of the values: `first` is the number of its first one. */
typedef convoy_status npz_visit(void *user, const npy *piece, size_t first, size_t count, convoy_error *err);
/* All of them, from the first on. */
convoy_status npz_values_visit(npz_values *v, npz_visit *take, void *user, convoy_error *err);

/* ---- npz_pixels.c ---- */

/* What the values of images are; see convoy_dataset_open_with. */
typedef struct npz_guess {
    bool floats;        /* float32 is how they are kept, else bytes */
    bool prepared;      /* a model takes them as they are */
    double least, most; /* of all arrays; of bytes 0 and 255 */
} npz_guess;

/* Looks at `name` and, where it is there, at `other`, the other part's images; on_message may be told. */
convoy_status npz_guess_images(zip_archive *archive, const char *name, const char *other, const convoy_dataset_options *options,
                               npz_guess *out, convoy_error *err);

/* Reads all values of images into `data`, which has room for them, bytes or floats; `v` was just opened. */
convoy_status npz_read_images(npz_values *v, convoy_dataset *data, convoy_error *err);

#endif
