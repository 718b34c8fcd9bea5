"""A machine's speed wanders, so what counts is the ratio of two runs that follow each other: pairs, and medians."""
import statistics

from peers.process import Failed, tell

NEAR = 2.0  # modes up to this many times slower than the first round's best go on: one pair may mislead by as much


def alternate(ours, theirs, pairs):
    """[(ours(), theirs()), ...]: ours is first in one pair and second in the next."""
    done = []
    for number in range(pairs):
        if number % 2 == 0:
            first = ours()
            done.append((first, theirs()))
        else:
            second = theirs()
            done.append((ours(), second))
    return done


def summary(pairs):
    ratios = [ours / theirs for ours, theirs in pairs]
    return {"convoy": statistics.median(ours for ours, _ in pairs), "peer": statistics.median(t for _, t in pairs),
            "ratio": statistics.median(ratios), "least": min(ratios), "most": max(ratios),
            "pairs": [list(pair) for pair in pairs]}


def told(name, row):
    tell(f"{name}: convoy {row['convoy']:.4g}, peer {row['peer']:.4g}, ratio {row['ratio']:.3f} "
         f"({row['least']:.3f} to {row['most']:.3f}), pairs: {len(row['pairs'])}")
    return row


def contest(name, ours, modes, pairs, quick=False):
    """Pairs ours() with the best of `modes` ({name: callable}, more is better).

    Every mode runs one pair, which also fills caches. Those near the best go on to `pairs` pairs each, and the one with
    the lowest median ratio, the hardest for us, decides. When quick, the first round decides."""
    first, failed = {}, {}
    for mode, theirs in modes.items():
        try:
            first[mode] = told(f"{name}, first round, {mode}", summary(alternate(ours, theirs, 1)))
        except Failed as error:
            tell(f"{name}, {mode}: {error}")
            failed[mode] = str(error)
    if not first:
        raise Failed("; ".join(dict.fromkeys(failed.values())))
    full = first
    if not quick:
        limit = NEAR * min(row["ratio"] for row in first.values())
        near = [mode for mode, row in first.items() if row["ratio"] <= limit]
        full = {mode: told(f"{name}, {mode}", summary(alternate(ours, modes[mode], pairs))) for mode in near}
    best = min(full, key=lambda mode: full[mode]["ratio"])
    return {"mode": best, **full[best], "first_round": first, "modes": full, "failed_modes": failed}
