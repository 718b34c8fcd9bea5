#include "data/gunzip.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

convoy_status gunzip_read(const char *path, size_t limit, char **out, size_t *size, convoy_error *err)
{
    char *data = NULL;
    TRY(file_read(path, limit, &data, size, err));
    if (*size < 2 || memcmp(data, "\x1f\x8b", 2) != 0) {
        *out = data;
        return CONVOY_OK;
    }
    convoy_status status = gunzip_unpack(path, data, *size, limit, out, size, err);
    free(data);
    return status;
}
