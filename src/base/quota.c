#include "base/quota.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

/* The positive number that a file under `root` begins with, and the second one where `second` is not NULL; false: there are others, as
 * with "max" and -1. */
static bool read_numbers(const char *root, const char *name, double *first, double *second)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    bool found = fscanf(file, "%lf", first) == 1 && *first > 0 && (second == NULL || (fscanf(file, "%lf", second) == 1 && *second > 0));
    fclose(file);
    return found;
}

unsigned quota_cpus(const char *root)
{
    double quota, period; /* microseconds of CPU time, in a period of so many */
    if (!read_numbers(root, "cpu.max", &quota, &period) &&
        !(read_numbers(root, "cpu/cpu.cfs_quota_us", &quota, NULL) && read_numbers(root, "cpu/cpu.cfs_period_us", &period, NULL)))
        return 0;
    double cpus = quota / period;
    return cpus > 1e6 ? 0 : (unsigned)cpus + (cpus > (unsigned)cpus);
}
