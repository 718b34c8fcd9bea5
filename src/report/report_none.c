/* Built without cairo. */
#include "base/error.h"
#include "convoy/report.h"

convoy_status convoy_report_write_sized(convoy_context *ctx, const convoy_report_options *options, size_t options_size,
                                        convoy_error *err)
{
    (void)ctx, (void)options, (void)options_size;
    return base_fail(err, CONVOY_ERROR_UNSUPPORTED, "reports need cairo, which this build lacks; install libcairo2-dev (as Debian "
                     "calls it) and build again");
}
