/* The clock that durations are taken with. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/* Seconds of a clock that only goes forward; from when, is unknown. */
double clock_seconds(void);
/* Those that all threads of the process have run for. */
double clock_cpu_seconds(void);

#endif
