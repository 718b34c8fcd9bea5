/* A data set whose file is the input: FUZZ_FILE in a folder of its own (or alone, with FUZZ_ONE_FILE). */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "convoy/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void put(const char *folder, const char *name, const void *bytes, size_t size)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(bytes, 1, size, f) != size || fclose(f) != 0)
        abort();
}

/* Made once; the run's file stays in it. */
static const char *own_folder(void)
{
    static char folder[] = "/tmp/convoy_fuzz.XXXXXX";
    static int made;
    if (!made && mkdtemp(folder) == NULL)
        abort();
    made = 1;
    return folder;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *folder = own_folder();
    char path[PATH_MAX];
    convoy_dataset *set = NULL;
    convoy_error err;
    put(folder, FUZZ_FILE, bytes, size);
#ifdef FUZZ_OTHER_FILE
    put(folder, FUZZ_OTHER_FILE, FUZZ_OTHER_BYTES, sizeof FUZZ_OTHER_BYTES - 1);
#endif
#ifdef FUZZ_ONE_FILE
    snprintf(path, sizeof path, "%s/" FUZZ_FILE, folder);
#else
    snprintf(path, sizeof path, "%s", folder);
#endif
    if (convoy_dataset_open(path, "train", &set, &err) == CONVOY_OK)
        convoy_dataset_destroy(set);
    return 0;
}
