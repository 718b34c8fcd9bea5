/* How much of the CPUs a process may use. */
#ifndef BASE_QUOTA_H
#define BASE_QUOTA_H

/* CPUs' worth of time that its control group allows a container, rounded up; 0: nothing limits it, or this is no Linux. `root` is
 * /sys/fs/cgroup; both versions' files are understood (Documentation/admin-guide/cgroup-v2.rst, scheduler/sched-bwc.rst). */
unsigned quota_cpus(const char *root);

#endif
