/**
 * FollowIR's p-MRR of one query: how far documents fell that a changed instruction made irrelevant. −1..1; 0 where
 * nothing moved, positive where they fell.
 *
 * @param before Ids under the first instruction, best first.
 * @param after Ids under the changed one.
 * @param removed Ids that were relevant and no longer are. An id outside a list ranks just after its end.
 */
export function pMrr(
  before: readonly string[],
  after: readonly string[],
  removed: readonly string[],
): number {
  const placesBefore = places(before)
  const placesAfter = places(after)
  let sum = 0
  for (const id of removed) {
    const o = placesBefore.get(id) ?? before.length + 1
    const n = placesAfter.get(id) ?? after.length + 1
    sum += o >= n ? n / o - 1 : 1 - o / n
  }
  return sum / removed.length
}

function places(ids: readonly string[]): Map<string, number> {
  return new Map(ids.map((id, i) => [id, i + 1]))
}
