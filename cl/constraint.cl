// Constraints, applied to a parameter after its update. Nothing happens once `bad` is set.
//   non-negative: w = max(w, 0)
//   norm: n = sqrt(sum w^2) over the axes whose R is 1 of a (D0, D1, D2, D3) tensor;
//         w *= (RATE * clamp(n, LEAST, MOST) + (1 - RATE) * n) / (1e-7 + n)
kernel void constrain_non_negative(global float *w, global const int *bad, int count)
{
    int i = get_global_id(0);
    if (i < count && !bad[0])
        w[i] = w[i] < 0.0f ? 0.0f : w[i];
}

// Sizes of what a work-item goes over, and of what the work-items go over.
#define EACH(size, reduced) ((reduced) ? (size) : 1)
#define KEPT(size, reduced) ((reduced) ? 1 : (size))

// A work-item takes one norm.
kernel void constrain_norm(global float *w, global const int *bad)
{
    int i = get_global_id(0);
    if (i >= KEPT(D0, R0) * KEPT(D1, R1) * KEPT(D2, R2) * KEPT(D3, R3) || bad[0])
        return;
    int d = i % KEPT(D3, R3);
    int c = i / KEPT(D3, R3) % KEPT(D2, R2);
    int b = i / (KEPT(D3, R3) * KEPT(D2, R2)) % KEPT(D1, R1);
    int a = i / (KEPT(D3, R3) * KEPT(D2, R2) * KEPT(D1, R1));
    w += ((a * D1 + b) * D2 + c) * D3 + d;
    float sum = 0.0f;
    for (int p = 0; p < EACH(D0, R0); p++)
        for (int q = 0; q < EACH(D1, R1); q++)
            for (int r = 0; r < EACH(D2, R2); r++)
                for (int s = 0; s < EACH(D3, R3); s++) {
                    float v = w[((p * D1 + q) * D2 + r) * D3 + s];
                    sum += v * v;
                }
    float norm = sqrt(sum);
    float scale = (RATE * clamp(norm, (float)LEAST, (float)MOST) + (1.0f - RATE) * norm) / (1e-7f + norm);
    for (int p = 0; p < EACH(D0, R0); p++)
        for (int q = 0; q < EACH(D1, R1); q++)
            for (int r = 0; r < EACH(D2, R2); r++)
                for (int s = 0; s < EACH(D3, R3); s++)
                    w[((p * D1 + q) * D2 + r) * D3 + s] *= scale;
}
