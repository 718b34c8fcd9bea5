/* The table of `convoy bench`. */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include "convoy/convoy.h"

/* Prints the result on stdout, within 100 columns. `model`: what it is called. */
void bench_table_print(const convoy_context *ctx, const char *model, const convoy_bench_result *r);
/* The same of what would be chosen for the context's device, without times. */
void bench_table_print_choices(const convoy_context *ctx, const char *model, const convoy_bench_choices *c);

#endif
