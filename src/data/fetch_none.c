/* Stands in for fetch.c where libcurl, libcrypto or libarchive is missing. */
#include "base/options.h"
#include "data/data.h"
#include "data/fetch.h"

convoy_status convoy_fetch_sized(const char *name, const convoy_fetch_options *options, size_t options_size,
                                 convoy_fetch_result *result, convoy_error *err)
{
    const fetch_set *set;
    char home[PATH_MAX] = "~/.local/share/convoy";
    (void)result;
    TAKE_OPTIONS(convoy_fetch_options, own, options, options_size, err);
    TRY(fetch_find(name, &set, err));
    if (own.folder == NULL)
        (void)places_home(home, NULL);
    return base_fail(err, CONVOY_ERROR_UNSUPPORTED,
                     "%s: fetching needs libcurl, libcrypto and libarchive, which this build lacks; install "
                     "libcurl4-openssl-dev, libssl-dev and libarchive-dev (Debian's names) and build again, or "
                     "download %s from %s by hand and unpack it in %s/%s",
                     name, set->parts[1].name == NULL ? set->parts[0].name : "the four .gz files", set->home,
                     own.folder != NULL ? own.folder : home, name);
}
