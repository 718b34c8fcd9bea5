// Not fused: its kernels look at their work-groups.
/* Small kernels for the tests of the runtime room. They belong to no layer. */

/* x[i] = first + i for i < count. */
kernel void count_up(global int *x, int first, int count)
{
    int i = get_global_id(0);
    if (i < count)
        x[i] = first + i;
}

/* y[i] = scale * x[i] + shift for i < count. */
kernel void scale_shift(global const float *x, global float *y, float scale, float shift, int count)
{
    int i = get_global_id(0);
    if (i < count)
        y[i] = scale * x[i] + shift;
}

/* out[i] = the global size of dimension i, so that tests see what range was launched; out[3] = the local size. */
kernel void ranges(global int *out)
{
    if (get_global_id(0) == 0 && get_global_id(1) == 0 && get_global_id(2) == 0) {
        out[0] = get_global_size(0);
        out[1] = get_global_size(1);
        out[2] = get_global_size(2);
        out[3] = get_local_size(0);
    }
}

/* out[group] = sum of the group's part of x (count values, padded with zeros), through local memory. */
kernel void group_sum(global const float *x, global float *out, local float *part, int count)
{
    int i = get_global_id(0), l = get_local_id(0);
    part[l] = i < count ? x[i] : 0.0f;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int n = get_local_size(0) / 2; n > 0; n /= 2) {
        if (l < n)
            part[l] += part[l + n];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (l == 0)
        out[get_group_id(0)] = part[0];
}

/* Runs in work-groups of eight only: x[i] = the number of i's group. */
__attribute__((reqd_work_group_size(8, 1, 1)))
kernel void groups_of_eight(global int *x, int count)
{
    int i = get_global_id(0);
    if (i < count)
        x[i] = get_group_id(0);
}

#ifdef BROKEN
kernel void broken(global float *x)
{
    x[0] = this_name_is_not_declared;
}
#endif
