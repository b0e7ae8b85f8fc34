// SPDX-License-Identifier: MIT
//
// Makes a plan shorter while it still fails in the same way.

const TRIES = 60;

/**
 * @param {object} plan
 * @param {string} kind of finding that is to stay
 * @param {(plan: object) => Promise<{findings: Array<{kind: string}>}>} play
 * @returns {Promise<object>} the shortest plan that was found
 */
export async function shrink(plan, kind, play) {
  let tries = TRIES;
  const fails = async (operations) => {
    tries--;
    const { findings } = await play({ ...plan, operations });
    return findings.some((finding) => finding.kind === kind);
  };
  let shortest = plan.operations;
  for (let size = Math.ceil(shortest.length / 2); size >= 1 && tries > 0; size = Math.floor(size / 2)) {
    for (let at = 0; at < shortest.length && tries > 0; ) {
      const without = shortest.toSpliced(at, size);
      if (await fails(without)) shortest = without;
      else at += size;
    }
  }
  return { ...plan, operations: shortest };
}
