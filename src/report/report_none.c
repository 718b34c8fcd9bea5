/* Built without cairo. */
#include "base/error.h"
#include "convoy/report.h"

convoy_status convoy_report_write(convoy_context *ctx, const convoy_report_options *options, convoy_error *err)
{
    (void)ctx, (void)options;
    return base_fail(err, CONVOY_ERROR_UNSUPPORTED, "reports need cairo, which this build lacks; install libcairo2-dev (as Debian "
                     "calls it) and build again");
}
