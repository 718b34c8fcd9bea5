/* Stands in for npz.c and what it is made of where libzip is missing. */
#include "data/data.h"

convoy_status npz_read(const data_request *request, convoy_dataset **out, const char **listed, convoy_error *err)
{
    (void)out, (void)listed;
    return base_fail_in(err, base_lacks(err, ".npz files need libzip", "libzip-dev and libhdf5-dev"), "%s", request->path);
}
