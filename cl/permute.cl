// Reorders the axes of each image: `to` has the sizes O0, O1, O2, O3, and its axis k steps by S0 .. S3 floats in `from`.
// One value a work-item.
kernel void permute(global const float *from, global float *to, int count)
{
    int i = get_global_id(0);
    if (i >= count)
        return;
    int image = i - i % (O0 * O1 * O2 * O3);
    to[i] = from[image + i / (O3 * O2 * O1) % O0 * S0 + i / (O3 * O2) % O1 * S1 + i / O3 % O2 * S2 + i % O3 * S3];
}
