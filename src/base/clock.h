/* The clock that durations are taken with. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/* Seconds of a clock that only goes forward; from when, is unknown. */
double clock_seconds(void);

#endif
