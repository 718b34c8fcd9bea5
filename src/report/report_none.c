/* Stands in for report.c and what it is made of where cairo is missing. */
#include "base/error.h"
#include "convoy/report.h"

convoy_status convoy_report_write_sized(convoy_context *ctx, const convoy_report_options *options, size_t options_size,
                                        convoy_error *err)
{
    (void)ctx, (void)options, (void)options_size;
    return base_lacks(err, "reports need cairo", "libcairo2-dev");
}
