/* The data sets that can be fetched: their homes, and sizes and digests as published there. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "data/data.h"
#include "data/fetch.h"

#define CIFAR10_FILE(n) {.name = n, .size = 10000 * 3073}
#define TEXT_FILE(n) {.name = n, .size = 1 << 16, .at_most = true}
#define README {.name = "readme.html", .size = 1 << 16, .at_most = true, .optional = true}

/* The four files of MNIST and of those made like it. */
#define IDX_PART(n, bytes, sum, unpacked)                                                                              \
    {.name = n ".gz", .size = (bytes), .digest = "md5:" sum, .files = {{.name = n, .size = (unpacked)}}}
#define TRAIN_IMAGES_SIZE (16 + 60000 * 28 * 28)
#define TRAIN_LABELS_SIZE (8 + 60000)
#define TEST_IMAGES_SIZE (16 + 10000 * 28 * 28)
#define TEST_LABELS_SIZE (8 + 10000)

static const fetch_set sets[] = {
    {.name = "cifar10",
     .title = "CIFAR-10: 60,000 colour images, 32x32, 10 classes",
     .home = "https://www.cs.toronto.edu/~kriz/",
     .parts = {{.name = "cifar-10-binary.tar.gz",
                .size = 170052171,
                .digest = "md5:c32a1d4ab5d03f1284b67883e8d87530",
                .folder = "cifar-10-batches-bin",
                .files = {CIFAR10_FILE("data_batch_1.bin"), CIFAR10_FILE("data_batch_2.bin"),
                          CIFAR10_FILE("data_batch_3.bin"), CIFAR10_FILE("data_batch_4.bin"),
                          CIFAR10_FILE("data_batch_5.bin"), CIFAR10_FILE("test_batch.bin"),
                          TEXT_FILE("batches.meta.txt"), README}}}},
    {.name = "cifar100",
     .title = "CIFAR-100: 60,000 colour images, 32x32, 100 classes",
     .home = "https://www.cs.toronto.edu/~kriz/",
     .parts = {{.name = "cifar-100-binary.tar.gz",
                .size = 168513733,
                .digest = "md5:03b5dce01913d631647c71ecec9e9cb8",
                .folder = "cifar-100-binary",
                .files = {{.name = "train.bin", .size = 50000 * 3074},
                          {.name = "test.bin", .size = 10000 * 3074},
                          TEXT_FILE("fine_label_names.txt"),
                          TEXT_FILE("coarse_label_names.txt"),
                          README}}}},
    {.name = "mnist",
     .title = "MNIST: 70,000 grey images of digits, 28x28, 10 classes",
     .home = "https://storage.googleapis.com/cvdf-datasets/mnist/",
     .parts = {IDX_PART("train-images-idx3-ubyte", 9912422, "f68b3c2dcbeaaa9fbdd348bbdeb94873", TRAIN_IMAGES_SIZE),
               IDX_PART("train-labels-idx1-ubyte", 28881, "d53e105ee54ea40749a09fcbcd1e9432", TRAIN_LABELS_SIZE),
               IDX_PART("t10k-images-idx3-ubyte", 1648877, "9fb629c4189551a2d022fa330f9573f3", TEST_IMAGES_SIZE),
               IDX_PART("t10k-labels-idx1-ubyte", 4542, "ec29112dd5afa0611ce80d1b7f02629c", TEST_LABELS_SIZE)}},
    {.name = "fashion-mnist",
     .title = "Fashion-MNIST: 70,000 grey images of clothes, 28x28, 10 classes",
     .home = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
     .parts = {IDX_PART("train-images-idx3-ubyte", 26421880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d", TRAIN_IMAGES_SIZE),
               IDX_PART("train-labels-idx1-ubyte", 29515, "25c81989df183df01b3e8a0aad5dffbe", TRAIN_LABELS_SIZE),
               IDX_PART("t10k-images-idx3-ubyte", 4422102, "bef4ecab320f06d8554ea6380940ec79", TEST_IMAGES_SIZE),
               IDX_PART("t10k-labels-idx1-ubyte", 5148, "bb300cfdad3c16e7a12a480ee83cd310", TEST_LABELS_SIZE)}},
};

size_t convoy_fetch_count(void)
{
    return sizeof sets / sizeof *sets;
}

convoy_status fetch_find(const char *name, const fetch_set **out, convoy_error *err)
{
    char known[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        *out = &sets[i];
        if (name != NULL && strcmp(sets[i].name, name) == 0)
            return CONVOY_OK;
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ", sets[i].name);
    }
    return base_fail(err, CONVOY_ERROR_ARGUMENT, "%s: no data set of this name can be fetched; known: %s",
                     name == NULL ? "\"\"" : name, known);
}

static bool is_in_place(const fetch_file *file, const char *folder)
{
    char path[PATH_MAX];
    struct stat info;
    int n = snprintf(path, sizeof path, "%s/%s", folder, file->name);
    if (n < 0 || (size_t)n >= sizeof path || stat(path, &info) != 0)
        return file->optional;
    uint64_t size = (uint64_t)info.st_size;
    return S_ISREG(info.st_mode) && (file->at_most ? size <= file->size : size == file->size);
}

bool fetch_is_complete(const fetch_set *set, const char *folder)
{
    for (const fetch_part *part = set->parts; part->name != NULL; part++)
        for (const fetch_file *file = part->files; file->name != NULL; file++)
            if (!is_in_place(file, folder))
                return false;
    return true;
}

convoy_status convoy_fetch_describe(size_t index, const char *folder, convoy_fetch_info *out, convoy_error *err)
{
    char home[PATH_MAX];
    if (out == NULL || index >= convoy_fetch_count())
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "data set %zu of those to fetch: there are %zu, numbered from 0",
                         index, convoy_fetch_count());
    const fetch_set *set = &sets[index];
    if (folder == NULL) {
        TRY(places_home(home, err));
        folder = home;
    }
    *out = (convoy_fetch_info){.name = set->name, .title = set->title, .home = set->home};
    TRY(folder_join(out->path, folder, set->name, err));
    out->here = fetch_is_complete(set, out->path);
    for (const fetch_part *part = set->parts; part->name != NULL; part++)
        out->bytes += part->size;
    return CONVOY_OK;
}
