// Tversky loss (keras/src/losses/losses.py): 1 - I / (I + ALPHA * (Y - I) + BETA * (P - I) + 1e-7); see overlap.clh.
#include "loss.clh"

#define OVER(both, targets, outputs) (both)
#define UNDER(both, targets, outputs) ((both) + ALPHA * ((targets) - (both)) + BETA * ((outputs) - (both)) + TINY)
#define OVER_BOTH 1.0f
#define UNDER_BOTH (1.0f - ALPHA - BETA)
#define UNDER_OUTPUTS BETA

#include "overlap.clh"
