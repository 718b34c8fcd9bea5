// N tensors joined value by value, (batch, shape...) each, VW values a work-item:
//   forward:  y = x0 OP x1 OP ... (OP 0: +, 1: -, 2: *, 3: mean, 4: maximum, 5: minimum)
//   backward: dx_K = dy * dy/dx_K; of equal maxima the first takes the gradient, and dx_K is summed over where x_K was repeated.
// SAME: all shapes are equal. Else input j is repeated along its axes of length 1: D0 .. D3 is the output's shape, S<j><axis> the
// step of input j along an axis (0: repeated), P<j> its values an image, E0 .. E3 the shape of input K, and VW is 1.
#include "vector.clh"
#define EPILOGUE_LOAD(p) load_part((p), count - i)
#include "epilogue.clh"
#ifndef OP
#define OP 0
#endif
#ifndef N
#define N 2
#endif
#ifndef K
#define K 0
#endif
#ifndef SAME
#define SAME 1
#endif
#define LIST1 global const float *x0
#define LIST2 LIST1, global const float *x1
#define LIST3 LIST2, global const float *x2
#define LIST4 LIST3, global const float *x3
#define LIST5 LIST4, global const float *x4
#define LIST6 LIST5, global const float *x5
#define LIST7 LIST6, global const float *x6
#define LIST8 LIST7, global const float *x7
#define INPUTS CAT(LIST, N)

#if SAME
#define AT_(j) load_part(x##j + i, count - i)
#else
#define AT_(j) x##j[n * P##j + a * S##j##0 + b * S##j##1 + c * S##j##2 + d * S##j##3]
#endif
#define AT(j) AT_(j)

// Comparisons are written so that NaN goes through.
#if OP == 1
#define JOIN(u, v) ((u) - (v))
#elif OP == 2
#define JOIN(u, v) ((u) * (v))
#elif OP == 4
#define JOIN(u, v) select((u), (v), isgreater((v), (u)) | isnan(v))
#elif OP == 5
#define JOIN(u, v) select((u), (v), isless((v), (u)) | isnan(v))
#else
#define JOIN(u, v) ((u) + (v))
#endif

// Factor of input j in the slope of input K.
#if OP == 2
#define FACTOR(j) AT(j)
#elif OP == 4
#define FACTOR(j) select((FV)0.0f, (FV)1.0f, j < K ? isless(AT(j), AT(K)) : islessequal(AT(j), AT(K)))
#elif OP == 5
#define FACTOR(j) select((FV)0.0f, (FV)1.0f, j < K ? isgreater(AT(j), AT(K)) : isgreaterequal(AT(j), AT(K)))
#endif

// Runs F(j) for all inputs from 1 on.
#define ALL1(F)
#define ALL2(F) F(1)
#define ALL3(F) ALL2(F) F(2)
#define ALL4(F) ALL3(F) F(3)
#define ALL5(F) ALL4(F) F(4)
#define ALL6(F) ALL5(F) F(5)
#define ALL7(F) ALL6(F) F(6)
#define ALL8(F) ALL7(F) F(7)

kernel void merge_forward(INPUTS, global float *y, int count EPILOGUE_ARGS)
{
    int i = get_global_id(0) * VW;
    if (i >= count)
        return;
#if !SAME
    int d = i % D3, c = i / D3 % D2, b = i / (D3 * D2) % D1, a = i / (D3 * D2 * D1) % D0, n = i / (D3 * D2 * D1 * D0);
#endif
    FV u = AT(0);
#define STEP(j) { FV v = AT(j); u = JOIN(u, v); }
    CAT(ALL, N)(STEP)
#if OP == 3
    u /= (float)N;
#endif
    store_part(FINISH(u, i), y + i, count - i);
}

// dy/dx_K at one place.
#if OP == 2 || OP == 4 || OP == 5
#define TIMES(j) if (j != K) s *= FACTOR(j);
#define FACTORS(s) FV s = (FV)1.0f; TIMES(0) CAT(ALL, N)(TIMES)
#define READ INPUTS,
#else
#define FACTORS(s) FV s = (FV)(OP == 1 && K == 1 ? -1.0f : OP == 3 ? 1.0f / N : 1.0f);
#define READ
#endif

kernel void merge_backward(READ global const float *dy, global float *dx, int count)
{
    int i = get_global_id(0) * VW;
    if (i >= count)
        return;
#if SAME
    FACTORS(s)
    store_part(load_part(dy + i, count - i) * s, dx + i, count - i);
#else
    int d0 = i % E3, c0 = i / E3 % E2, b0 = i / (E3 * E2) % E1, a0 = i / (E3 * E2 * E1) % E0, n = i / (E3 * E2 * E1 * E0);
    float sum = 0.0f;
    // An axis along which x_K is repeated is walked, any other stands still.
    for (int a = a0; a < (E0 == D0 ? a0 + 1 : D0); a++)
        for (int b = b0; b < (E1 == D1 ? b0 + 1 : D1); b++)
            for (int c = c0; c < (E2 == D2 ? c0 + 1 : D2); c++)
                for (int d = d0; d < (E3 == D3 ? d0 + 1 : D3); d++) {
                    FACTORS(s)
                    sum += dy[(((n * D0 + a) * D1 + b) * D2 + c) * D3 + d] * s;
                }
    dx[i] = sum;
#endif
}
