// Dice loss (keras/src/losses/losses.py): 1 - 2 * I / (Y + P + 1e-7); see overlap.clh.
#include "loss.clh"

#define OVER(both, targets, outputs) (2.0f * (both))
#define UNDER(both, targets, outputs) ((targets) + (outputs) + TINY)
#define OVER_BOTH 2.0f
#define UNDER_BOTH 0.0f
#define UNDER_OUTPUTS 1.0f

#include "overlap.clh"
