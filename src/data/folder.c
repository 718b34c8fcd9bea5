/* Paths of files in folders. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "data/data.h"

convoy_status folder_join(char *out, const char *folder, const char *name, convoy_error *err)
{
    size_t length = strlen(folder);
    const char *slash = length > 0 && folder[length - 1] == '/' ? "" : "/";
    int n = snprintf(out, PATH_MAX, "%s%s%s", folder, slash, name);
    if (n < 0 || n >= PATH_MAX)
        return base_fail(err, CONVOY_ERROR_FILE, "%s: the path is too long", folder);
    return CONVOY_OK;
}

bool folder_holds(const char *folder, const char *name)
{
    char path[PATH_MAX];
    return folder_join(path, folder, name, NULL) == CONVOY_OK && file_exists(path);
}

bool folder_holds_any(const char *folder, const char *const *names)
{
    for (; *names != NULL; names++)
        if (folder_holds(folder, *names))
            return true;
    return false;
}
